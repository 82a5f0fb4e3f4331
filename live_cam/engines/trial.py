"""The comparison of an engine with the plain one: the difference of the maps, and the time."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import torch

from live_cam.engines.faults import FAILURES, engine_fault

if TYPE_CHECKING:
    from torch import Tensor

    from live_cam.cam.gradcam import CAMResult
    from live_cam.engines.candidates import Candidate
    from live_cam.engines.engine import Engine

_EXACT_TOLERANCE = 1e-4
"""The tolerated error of an exact engine, as a share of a map's maximum, or of a probability."""
_LOOSE_CORRELATION = 0.8
"""The lowest tolerated correlation of other engines' maps: lower ones show something else."""


class Trial:
    """A few frames, each explained by the plain engine, the present one and a candidate."""

    def __init__(
        self, candidate: Candidate, engine: Engine, present: Engine, plain: Engine
    ) -> None:
        """Prepare the trial of a candidate's engine against the present and the plain one."""
        self.candidate = candidate
        self.engine = engine
        self.rounds = 0
        self._present = present
        self._plain = plain
        self._seconds: dict[Engine, list[float]] = {}
        self._map_errors: list[float] = []
        self._probability_errors: list[float] = []
        self._correlations: list[float] = []

    def expected(self, x: Tensor, class_index: int | None) -> CAMResult:
        """Explain a frame by the plain engine.

        Raises:
            LiveCamError: The plain engine has failed.
        """
        return self._timed(self._plain, x, class_index)

    def round(self, x: Tensor, expected: CAMResult) -> None:
        """Explain the same frame by the other engines, and compare.

        Raises:
            LiveCamError: One of them has failed; the text names it.
        """
        index = int(expected.class_index)
        if self.rounds == 0:
            self._run(self.engine, x, index)  # every engine's first run is slow
        self.rounds += 1
        if self._present is not self._plain:
            self._timed(self._present, x, index)
        self._compare(expected, self._timed(self.engine, x, index))

    def _run(self, engine: Engine, x: Tensor, class_index: int | None) -> CAMResult:
        try:
            return engine.explain(x, class_index)
        except FAILURES as error:
            raise engine_fault(error, engine) from error

    def _timed(self, engine: Engine, x: Tensor, class_index: int | None) -> CAMResult:
        start = time.perf_counter()
        result = self._run(engine, x, class_index)
        self._seconds.setdefault(engine, []).append(time.perf_counter() - start)
        return result

    def _compare(self, expected: CAMResult, result: CAMResult) -> None:
        largest = expected.cam.max().clamp_min(1e-30)
        self._map_errors.append(float((result.cam - expected.cam).abs().max() / largest))
        difference = result.logits.softmax(1) - expected.logits.softmax(1)
        self._probability_errors.append(float(difference.abs().max()))
        if float(expected.cam.std()) > 0:
            both = torch.stack([expected.cam.flatten(), result.cam.flatten()])
            self._correlations.append(float(torch.corrcoef(both)[0, 1].nan_to_num()))

    @property
    def faster(self) -> bool:
        """Whether the candidate is faster than the present engine."""
        return median(self._seconds[self.engine]) < median(self._seconds[self._present])

    def problem(self) -> str | None:
        """Return how the candidate differs too much from the plain engine, or None."""
        if self.engine.exact:
            error = max(median(self._map_errors), median(self._probability_errors))
            if error > _EXACT_TOLERANCE:
                return f"it differs from {self._plain.description} by {error:.1e} of the maximum."
        elif self._correlations and median(self._correlations) < _LOOSE_CORRELATION:
            return (
                f"its maps correlate only {median(self._correlations):.2f} with those of "
                f"{self._plain.description}."
            )
        return None

    def summary(self) -> str:
        """Return the candidate's time and, if it is not exact, the correlation of its maps."""
        own, plain = (median(self._seconds[engine]) for engine in (self.engine, self._plain))
        speed = f"{1e3 * own:.0f} ms a frame, {self._plain.description} {1e3 * plain:.0f} ms"
        if self.engine.exact or not self._correlations:
            return speed
        return f"{speed}; the maps correlate {median(self._correlations):.3f}"
