"""Which engine explains: the plain one at first, then the fastest that proves to say the same.

Where the one that explains fails, the plain one steps in at once; the others follow as at first.
"""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from live_cam.engines.faults import FAILURES, engine_fault, free_memory, known_fault
from live_cam.engines.opening import Candidate, Opening
from live_cam.engines.sparing import evidence_of_each, explain_each
from live_cam.engines.trial import Trial
from live_cam.errors import DeviceLostError, LiveCamError, NonFiniteError, OutOfMemoryError
from live_cam.network.cut import TRACING
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.cam.gradcam import CAMResult, Evidence
    from live_cam.engines.engine import Engine
    from live_cam.runtime.timing import StageTimer

_ROUNDS = 3
Answer = TypeVar("Answer")


class EngineSelector(Closing):
    """Explains with the plain engine while others are opened in a thread of their own.

    Each one that opens explains the next few frames together with the plain one. It takes over
    if it says the same and is faster than the present one, or is what the user asked for.

    One that fails while it explains is not used again: the plain one explains the same frame, and
    what is left of the others is tried anew. Where memory runs out, that of the device is freed and
    less of it is used before an engine is given up.

    Attributes:
        engine: The one that explains at present.
        settled: Whether no other one can take over any more.
    """

    def __init__(
        self,
        plain: Callable[[], Engine],
        candidates: Sequence[Candidate],
        notify: Callable[[str], None],
        warn: Callable[[str], None],
        *,
        patient: bool = False,
    ) -> None:
        """Open the plain engine, and start opening the candidates.

        Args:
            plain: Opens what the others are compared with: now, and when it has to step in.
            candidates: In the order in which they are tried; a chosen one comes last.
            notify: Called with which engine took over.
            warn: Told which one failed or is not used, and why.
            patient: Whether the first frame waits until it is settled which engine explains.
        """
        self._open_plain = plain
        self._plain: Engine | None = plain()
        self.engine = self._plain
        self.settled = not candidates
        self._notify = notify
        self._warn = warn
        self._patient = patient
        self._sparing = False
        self._using: Candidate | None = None
        self._unusable: list[Candidate | None] = []
        self._trial: Trial | None = None
        self._opening = Opening(candidates, self._refused, patient=patient)

    @property
    def description(self) -> str:
        """What computes at present, and what is being prepared."""
        pending = [each.title for each in self._opening.candidates if each.chosen]
        preparing = f" (preparing {pending[0]}…)" if pending and not self.settled else ""
        return self.engine.description + preparing

    def _refused(self, candidate: Candidate, error: LiveCamError) -> None:
        if candidate.chosen:
            self._warn(f"Going on with {self.engine.description}: {error}")

    def __call__(
        self, x: Tensor, class_index: int | None = None, timer: StageTimer | None = None
    ) -> CAMResult:
        """Explain with the present engine, or the one that steps in for it.

        Args:
            x: N×3×H×W float32, normalised, on the network's device.
            class_index: The class to explain; None: each one's top class.
            timer: Is told how long the engine took.

        Raises:
            NonFiniteError: The scores or gradients are not finite.
            DeviceLostError: The network's device has failed.
            OutOfMemoryError: It has not even memory for the plain engine.
        """

        def ask(engine: Engine) -> CAMResult:
            explain = explain_each if self._sparing and len(x) > 1 else _explain
            return explain(engine, x, class_index, timer)

        return self._ask(ask, parts=len(x))

    def evidence(self, x: Tensor, wanted: Tensor, timer: StageTimer | None = None) -> Evidence:
        """Give what every method makes its map of, by the present engine or its successor.

        Args:
            x: As above.
            wanted: Q int64, as in `Engine.evidence`.
            timer: As above.

        Raises:
            NonFiniteError: The scores or gradients are not finite.
            UsageError: There is no such class.
            DeviceLostError: As above.
            OutOfMemoryError: As above.
        """
        parts = len(x) * len(wanted)

        def ask(engine: Engine) -> Evidence:
            if self._sparing and parts > 1:
                return evidence_of_each(engine, x, wanted, timer)
            return engine.evidence(x, wanted, timer)

        return self._ask(ask, parts)

    # ---- failures ------------------------------------------------------------------------------

    def _ask(self, ask: Callable[[Engine], Answer], parts: int) -> Answer:
        """Have the present engine answer, and where it fails the next one, until one does."""
        scarce: OutOfMemoryError | None = None
        while True:
            engine = self.engine
            try:
                with TRACING:
                    answer = ask(engine)
                break
            except FAILURES as error:
                known = known_fault(error, engine.description, engine.device)
                if known is None and engine is self._plain:
                    raise  # a bug, for all that one can see
                fault = known or engine_fault(error, engine)
            # Only here is what the failed attempt held let go of.
            if isinstance(fault, OutOfMemoryError) and not scarce:
                scarce, spared = fault, self._sparing
                free_memory(engine.device)
                self._sparing = spared or parts > 1
            else:
                if scarce:
                    scarce, self._sparing = None, spared
                self._replace(engine, fault)
        if scarce and self._sparing and not spared:
            self._warn(f"Going on with one image and class at a time: {scarce}")
        return answer

    def _replace(self, failed: Engine, fault: LiveCamError) -> None:
        """Let the plain engine step in for one that failed.

        Raises:
            LiveCamError: The fault, where that cannot help.
        """
        if failed is self._plain:
            raise fault
        self._dismiss_trial()
        with suppress(*FAILURES):
            failed.close()
        self._plain = self._plain or self._open_plain()
        if isinstance(fault, DeviceLostError) and failed.device == self._plain.device:
            raise fault
        self.engine = self._plain
        free_memory(failed.device)
        self._unusable.append(self._using)
        left = [each for each in self._opening.candidates if each not in self._unusable]
        self._opening.abandon()
        self._opening = Opening(left, self._refused, patient=self._patient)
        self.settled = not left
        self._warn(f"Going on with {self.engine.description}: {fault}")

    # ---- trials --------------------------------------------------------------------------------

    def offer(self, x: Tensor, class_index: int | None, image: NDArray[np.uint8]) -> None:
        """Give a frame to try the next engine on, if there is one, before it is explained.

        Args:
            x: 1×3×H×W float32, as above.
            class_index: As above.
            image: The frame itself, H×W×3 BGR; some are kept for calibration.

        Raises:
            DeviceLostError: The network's device has failed.
        """
        if self.settled:
            return
        self._opening.keep(image)
        while self._advance(x, class_index) and self._patient:
            pass

    def _advance(self, x: Tensor, class_index: int | None) -> bool:
        """Try an opened engine on one more frame, or look whether another one has opened.

        Returns whether there is more to try.
        """
        if self._trial is None:
            try:
                opened = self._opening.next()
            except queue.Empty:
                return not self._opening.abandoned
            if opened is None:
                self._settle()
                return False
            self._plain = self._plain or self._open_plain()
            self._trial = Trial(*opened, self.engine, self._plain)
        expected = None
        try:
            with TRACING:
                expected = self._trial.expected(x, class_index)
                self._trial.round(x, expected)
        except LiveCamError as error:
            if expected is None and isinstance(error, NonFiniteError):
                raise  # the frame cannot be explained, which is not the candidate's fault
            device = self._trial.engine.device
            self._dismiss(self._trial, str(error))
            if isinstance(error, DeviceLostError) and device == str(x.device):
                raise
            return True
        if self._trial.rounds >= _ROUNDS:
            self._decide(self._trial)
        return True

    def _decide(self, trial: Trial) -> None:
        problem = trial.problem()
        if problem:
            self._dismiss(trial, problem)
        elif trial.candidate.chosen or trial.faster:
            present, self.engine, self._trial = self.engine, trial.engine, None
            self._using = trial.candidate
            if present is not self._plain:
                present.close()
            self._notify(f"Explaining with {self.engine.description}: {trial.findings()}.")
        else:
            self._dismiss_trial()

    def _dismiss(self, trial: Trial, problem: str) -> None:
        self._unusable.append(trial.candidate)
        self._warn(f"Not using {trial.engine.description}: {problem}")
        self._dismiss_trial()
        free_memory(trial.engine.device)

    def _dismiss_trial(self) -> None:
        trial, self._trial = self._trial, None
        if trial:
            with suppress(*FAILURES):
                trial.engine.close()

    def _settle(self) -> None:
        self.settled = True
        if self._plain and self.engine is not self._plain:
            self._plain.close()
            self._plain = None

    def close(self) -> None:
        """Give up what is being opened, and close the engines. May be called twice."""
        self._opening.close()
        self._dismiss_trial()
        for engine in (self.engine, self._plain):
            if engine:
                engine.close()


def _explain(
    engine: Engine, x: Tensor, class_index: int | None, timer: StageTimer | None
) -> CAMResult:
    return engine(x, class_index, timer)
