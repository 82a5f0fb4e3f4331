"""Whether an engine says what the plain one says, and how long it takes to."""

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
"""Of a map's maximum, and of a probability: what an exact engine may differ by."""
_LOOSE_CORRELATION = 0.8
"""Of the maps, for engines that promise less; the user has chosen them, garbage apart."""


class Trial:
    """A few frames explained by the plain engine, the present one and a candidate, in turn."""

    def __init__(
        self, candidate: Candidate, engine: Engine, present: Engine, plain: Engine
    ) -> None:
        """Take who is tried, who explains at present, and who is right."""
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
        """Let the plain engine explain a frame, as `Engine` does.

        Raises:
            LiveCamError: It failed.
        """
        return self._timed(self._plain, x, class_index)

    def round(self, x: Tensor, expected: CAMResult) -> None:
        """Let the others explain the same frame.

        Raises:
            LiveCamError: One of them failed; the text says which.
        """
        index = int(expected.class_index)
        if self.rounds == 0:
            self._run(self.engine, x, index)  # the first run of any engine is slow
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

    def _compare(self, expected: CAMResult, found: CAMResult) -> None:
        largest = expected.cam.max().clamp_min(1e-30)
        self._map_errors.append(float((found.cam - expected.cam).abs().max() / largest))
        difference = found.logits.softmax(1) - expected.logits.softmax(1)
        self._probability_errors.append(float(difference.abs().max()))
        if float(expected.cam.std()) > 0:
            both = torch.stack([expected.cam.flatten(), found.cam.flatten()])
            self._correlations.append(float(torch.corrcoef(both)[0, 1].nan_to_num()))

    @property
    def faster(self) -> bool:
        """Whether it takes less time than the present engine."""
        return median(self._seconds[self.engine]) < median(self._seconds[self._present])

    def problem(self) -> str | None:
        """Say in what the candidate differs from the plain engine by too much."""
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
        """Say how long it takes, and how alike its maps are where it promises no more."""
        mine, plain = (median(self._seconds[each]) for each in (self.engine, self._plain))
        speed = f"{1e3 * mine:.0f} ms a frame, {self._plain.description} {1e3 * plain:.0f} ms"
        if self.engine.exact or not self._correlations:
            return speed
        return f"{speed}; the maps correlate {median(self._correlations):.3f}"
