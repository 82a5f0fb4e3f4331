"""Which engine explains: the plain one at first, then the fastest that proves to say the same."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import torch

from live_cam.closing import Closing
from live_cam.engines.cut import TRACING
from live_cam.errors import LiveCamError
from live_cam.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines.engine import Engine
    from live_cam.gradcam import CAMResult, Evidence
    from live_cam.timing import StageTimer

_ROUNDS = 3
_EXACT_TOLERANCE = 1e-4
"""Of a map's maximum, and of a probability: what an exact engine may differ by."""
_LOOSE_CORRELATION = 0.8
"""Of the maps, for engines that promise less; the user has chosen them, garbage apart."""
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may take over once it is open."""

    title: str
    """What the user knows it as: `openvino int8`."""
    open: Callable[[Sequence[NDArray[np.uint8]], threading.Event], Engine]
    """Opens it: given the user's first frames, and an event that says to give up."""
    chosen: bool = False
    """Whether the user asked for it, so that it need not be the fastest."""
    frames: int = 0
    """How many of the user's frames it needs to see before."""


class EngineSelector(Closing):
    """Explains with the plain engine while others are opened in a thread of their own.

    Each one that opens explains the next few frames together with the plain one. It takes over
    if it says the same and is faster than the present one, or is what the user asked for.

    Attributes:
        engine: The one that explains at present.
        settled: Whether no other one can take over any more.
    """

    def __init__(
        self,
        plain: Engine,
        candidates: Sequence[Candidate],
        say: Callable[[str], None],
        *,
        patient: bool = False,
    ) -> None:
        """Start opening the candidates.

        Args:
            plain: What the others are compared with. It is closed with the selector.
            candidates: In the order in which they are tried; a chosen one comes last.
            say: Told which engine took over, or why one did not.
            patient: Whether the first frame waits until it is settled which engine explains.
        """
        self.engine = plain
        self.settled = not candidates
        self._plain = plain
        self._candidates = candidates
        self._say = say
        self._patient = patient
        self._frames: list[NDArray[np.uint8]] = []
        self._opened: queue.Queue[tuple[Candidate, Engine] | None] = queue.Queue()
        self._trial: _Trial | None = None
        self._stop = threading.Event()
        self._worker = Worker("engines", self._open_all)
        if candidates:
            self._worker.start()

    @property
    def description(self) -> str:
        """What computes at present, and what is being prepared."""
        pending = [each.title for each in self._candidates if each.chosen]
        preparing = f" (preparing {pending[0]}…)" if pending and not self.settled else ""
        return self.engine.description + preparing

    def _open_all(self) -> None:
        for candidate in self._candidates:
            while len(self._frames) < candidate.frames and not self._patient:
                if self._stop.wait(_POLL):
                    return
            try:
                self._opened.put((candidate, candidate.open(list(self._frames), self._stop)))
            except LiveCamError as error:
                if self._stop.is_set():
                    return
                if candidate.chosen:
                    self._say(f"Going on with {self.engine.description}: {error}")
        self._opened.put(None)

    def __call__(
        self, x: Tensor, class_index: int | None = None, timer: StageTimer | None = None
    ) -> CAMResult:
        """Explain with the present engine.

        Args:
            x: N×3×H×W float32, normalised, on the network's device.
            class_index: The class to explain; None: each one's top class.
            timer: Is told how long the engine took.

        Raises:
            NonFiniteError: The scores or gradients are not finite.
        """
        with TRACING:
            return self.engine(x, class_index, timer)

    def evidence(self, x: Tensor, wanted: Tensor, timer: StageTimer | None = None) -> Evidence:
        """Give what every method makes its map of, by the present engine.

        Args:
            x: As above.
            wanted: Q int64, as in `Engine.evidence`.
            timer: As above.

        Raises:
            NonFiniteError: The scores or gradients are not finite.
            UsageError: There is no such class.
        """
        with TRACING:
            return self.engine.evidence(x, wanted, timer)

    def offer(self, x: Tensor, class_index: int | None, image: NDArray[np.uint8]) -> None:
        """Give a frame to try the next engine on, if there is one, before it is explained.

        Args:
            x: 1×3×H×W float32, as above.
            class_index: As above.
            image: The frame itself, H×W×3 BGR; some are kept for calibration.
        """
        if self.settled:
            return
        if len(self._frames) < max(each.frames for each in self._candidates):
            self._frames.append(image)
        while self._advance(x, class_index) and self._patient:
            pass

    def _advance(self, x: Tensor, class_index: int | None) -> bool:
        """Try an opened engine on one more frame, or look whether another one has opened.

        Returns whether there is more to try.
        """
        if self._trial is None:
            try:
                opened = self._opened.get(timeout=_POLL if self._patient else 0.0)
            except queue.Empty:
                self._worker.check()
                return not self._stop.is_set()
            if opened is None:
                self._settle()
                return False
            self._trial = _Trial(*opened, self.engine, self._plain)
        with TRACING:
            # Where this fails the frame cannot be explained, which is not the candidate's fault.
            expected = self._trial.expected(x, class_index)
        try:
            with TRACING:
                self._trial.round(x, expected)
        except LiveCamError as error:
            self._dismiss(self._trial, str(error))
            return True
        if self._trial.rounds >= _ROUNDS:
            self._decide(self._trial)
        return True

    def _decide(self, trial: _Trial) -> None:
        problem = trial.problem()
        if problem:
            self._dismiss(trial, problem)
        elif trial.candidate.chosen or trial.faster:
            present, self.engine, self._trial = self.engine, trial.engine, None
            if present is not self._plain:
                present.close()
            self._say(f"Explaining with {self.engine.description}: {trial.findings()}.")
        else:
            trial.engine.close()
            self._trial = None

    def _dismiss(self, trial: _Trial, problem: str) -> None:
        self._say(f"Not using {trial.engine.description}: {problem}")
        trial.engine.close()
        self._trial = None

    def _settle(self) -> None:
        self.settled = True
        self._frames.clear()
        if self.engine is not self._plain:
            self._plain.close()

    def close(self) -> None:
        """Give up what is being opened, and close the engines. May be called twice."""
        self._stop.set()
        self._worker.join()
        trial, self._trial = self._trial, None
        for engine in (self.engine, self._plain, *([trial.engine] if trial else [])):
            engine.close()


class _Trial:
    """A few frames explained by the plain engine, the present one and a candidate, in turn."""

    def __init__(
        self, candidate: Candidate, engine: Engine, present: Engine, plain: Engine
    ) -> None:
        self.candidate = candidate
        self.engine = engine
        self.rounds = 0
        self._present = present
        self._plain = plain
        self._seconds: dict[Engine, list[float]] = {}
        self._map_errors: list[float] = []
        self._score_errors: list[float] = []
        self._correlations: list[float] = []

    def expected(self, x: Tensor, class_index: int | None) -> CAMResult:
        return self._timed(self._plain, x, class_index)

    def round(self, x: Tensor, expected: CAMResult) -> None:
        index = int(expected.class_index)
        if self.rounds == 0:
            self.engine(x, index)  # the first run of any engine is slow
        self.rounds += 1
        if self._present is not self._plain:
            self._timed(self._present, x, index)
        self._compare(expected, self._timed(self.engine, x, index))

    def _timed(self, engine: Engine, x: Tensor, class_index: int | None) -> CAMResult:
        start = time.perf_counter()
        result = engine(x, class_index)
        self._seconds.setdefault(engine, []).append(time.perf_counter() - start)
        return result

    def _compare(self, expected: CAMResult, found: CAMResult) -> None:
        largest = expected.cam.max().clamp_min(1e-30)
        self._map_errors.append(float((found.cam - expected.cam).abs().max() / largest))
        difference = found.logits.softmax(1) - expected.logits.softmax(1)
        self._score_errors.append(float(difference.abs().max()))
        if float(expected.cam.std()) > 0:
            both = torch.stack([expected.cam.flatten(), found.cam.flatten()])
            self._correlations.append(float(torch.corrcoef(both)[0, 1].nan_to_num()))

    @property
    def faster(self) -> bool:
        return median(self._seconds[self.engine]) < median(self._seconds[self._present])

    def problem(self) -> str | None:
        """Say in what the candidate differs from the plain engine by too much."""
        if self.engine.exact:
            error = max(median(self._map_errors), median(self._score_errors))
            if error > _EXACT_TOLERANCE:
                return f"it differs from {self._plain.description} by {error:.1e} of the maximum."
        elif self._correlations and median(self._correlations) < _LOOSE_CORRELATION:
            return (
                f"its maps correlate only {median(self._correlations):.2f} with those of "
                f"{self._plain.description}."
            )
        return None

    def findings(self) -> str:
        mine, plain = (median(self._seconds[each]) for each in (self.engine, self._plain))
        speed = f"{1e3 * mine:.0f} ms a frame, {self._plain.description} {1e3 * plain:.0f} ms"
        if self.engine.exact or not self._correlations:
            return speed
        return f"{speed}; the maps correlate {median(self._correlations):.3f}"
