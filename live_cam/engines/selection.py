"""The selection of the engine: first the plain one, then the fastest that gives the same maps.

If the present engine fails, the plain one takes over immediately, and the remaining ones are tried
again.
"""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import TYPE_CHECKING

from live_cam.engines.candidates import CandidateOpener
from live_cam.engines.engine import OneByOne
from live_cam.engines.faults import FAILURES, device_fault, engine_fault, free_memory, known_fault
from live_cam.engines.trial import Trial
from live_cam.errors import (
    DeviceLostError,
    EngineError,
    LiveCamError,
    NonFiniteError,
    OutOfMemoryError,
)
from live_cam.network.cut import TRACING
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines.candidates import Candidate
    from live_cam.engines.engine import Engine

_ROUNDS = 3


class EngineSelector(Closing):
    """Holds the present engine, and opens faster ones in a background thread.

    Each candidate first explains a few frames along with the plain engine. It takes over if its
    maps agree and it is faster than the present engine, or if the user named it.

    An engine that fails is not used again: the plain one takes over, and the remaining candidates
    are tried again. If memory runs out, cached memory is freed and less of it is used before an
    engine is given up.

    Attributes:
        settled: Whether no other engine can take over.
    """

    def __init__(
        self,
        plain: Callable[[], Engine],
        candidates: Sequence[Candidate],
        notify: Callable[[str], None],
        warn: Callable[[str], None],
        *,
        first: Callable[[], Engine] | None = None,
        patient: bool = False,
    ) -> None:
        """Open the first engine, and start opening the candidates.

        Args:
            plain: Opens the engine that the others are compared with and fall back to.
            candidates: In the order of their trials; a chosen one comes last.
            notify: Called with a sentence about an engine that takes over.
            warn: Called with a sentence about an engine that fails or is not used.
            first: Opens the first engine; the plain one by default.
            patient: Whether the first frame waits until the engine is settled.
        """
        self._open_plain = plain
        self._open_present = first or plain
        self._plain: Engine | None = None
        self._present: Engine | None = None
        self.settled = not candidates
        self._notify = notify
        self._warn = warn
        self._patient = patient
        self._sparing = False
        self._was_sparing = False
        self._shortage: OutOfMemoryError | None = None
        self._parts = 1
        self._using: Candidate | None = None
        self._unusable: list[Candidate | None] = []
        self._trial: Trial | None = None
        self._open()
        self._opening = CandidateOpener(candidates, self._reject, patient=patient)

    @property
    def engine(self) -> Engine:
        """The present engine. It is opened again after `release`."""
        return self._present or self._open()

    def _open(self) -> Engine:
        self._present = engine = self._open_present()
        if self._open_present is self._open_plain:
            self._plain = engine
        return engine

    @property
    def description(self) -> str:
        """The present engine, and the one that is being prepared."""
        engine = self._present
        if engine is None:
            return ""
        pending = [candidate.title for candidate in self._opening.candidates if candidate.chosen]
        preparing = f" (preparing {pending[0]}…)" if pending and not self.settled else ""
        return engine.description + preparing

    def _reject(self, candidate: Candidate, error: LiveCamError) -> None:
        if candidate.chosen:
            self._warn(f"Staying with {self.engine.description}: {error}")

    def release(self) -> None:
        """Close the present engine, with its hook on the network, until it is needed again.

        For selectors without candidates.
        """
        for engine in (self._present, self._plain):
            if engine:
                engine.close()
        self._present = self._plain = None

    # ---- one explanation -----------------------------------------------------------------------

    def begin(self) -> None:
        """Begin an explanation, which may take several attempts."""
        self._shortage, self._parts = None, 1

    def ready(self, parts: int) -> Engine:
        """Return the engine for the next attempt.

        Args:
            parts: The number of images times classes that it computes at once if memory allows.
        """
        self._parts = parts
        return OneByOne(self.engine) if self._sparing and parts > 1 else self.engine

    def finish(self) -> None:
        """End an explanation that has succeeded."""
        if self._shortage and self._sparing and not self._was_sparing:
            self._warn(f"Falling back to one image and class at a time: {self._shortage}")
        self._shortage = None

    def fault(self, error: Exception) -> EngineError | None:
        """Return the typed error of a failed attempt, or None if it is a bug."""
        engine = self._present
        if engine is None:
            return known_fault(error, "opening an engine", "cpu")
        if engine is self._plain:
            return device_fault(error, engine.description, engine.device)
        return engine_fault(error, engine)

    def recover(self, fault: EngineError) -> bool:
        """Make another attempt possible: free memory, or fall back to the plain engine.

        Returns:
            Whether anything is left to try on this device.
        """
        if isinstance(fault, OutOfMemoryError) and not self._shortage:
            self._shortage, self._was_sparing = fault, self._sparing
            free_memory(self.engine.device)
            self._sparing = self._sparing or self._parts > 1
            return True
        if self._shortage:
            self._shortage, self._sparing = None, self._was_sparing
        return self._fall_back(fault)

    def _fall_back(self, fault: EngineError) -> bool:
        failed = self.engine
        if failed is self._plain:
            return False
        self._end_trial()
        with suppress(*FAILURES):
            failed.close()
        self._plain = self._plain or self._open_plain()
        if isinstance(fault, DeviceLostError) and failed.device == self._plain.device:
            return False
        self._present, self._open_present = self._plain, self._open_plain
        free_memory(failed.device)
        self._unusable.append(self._using)
        candidates = self._opening.candidates
        left = [candidate for candidate in candidates if candidate not in self._unusable]
        self._opening.abandon()
        self._opening = CandidateOpener(left, self._reject, patient=self._patient)
        self.settled = not left
        self._warn(f"Falling back to {self.engine.description}: {fault}")
        return True

    # ---- trials --------------------------------------------------------------------------------

    def offer(self, x: Tensor, class_index: int | None, image: NDArray[np.uint8]) -> None:
        """Offer a frame for the trial of the next candidate, before the frame is explained.

        Args:
            x: 1×3×H×W float32, normalised, on the network's device.
            class_index: The class to explain, or None for the top class.
            image: The frame itself, H×W×3 BGR. The first ones are kept for calibration.

        Raises:
            NonFiniteError: The plain engine's logits or gradients are not finite.
            DeviceLostError: The network's device has failed.
        """
        if self.settled:
            return
        self._opening.keep(image)
        while self._advance(x, class_index) and self._patient:
            pass

    def _advance(self, x: Tensor, class_index: int | None) -> bool:
        """Try the present candidate on one more frame, or begin the trial of the next one.

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
                raise  # the frame is at fault, not the candidate
            device = self._trial.engine.device
            self._reject_trial(self._trial, str(error))
            if isinstance(error, DeviceLostError) and device == str(x.device):
                raise
            return True
        if self._trial.rounds >= _ROUNDS:
            self._decide(self._trial)
        return True

    def _decide(self, trial: Trial) -> None:
        problem = trial.problem()
        if problem:
            self._reject_trial(trial, problem)
        elif trial.candidate.chosen or trial.faster:
            present, self._present, self._trial = self._present, trial.engine, None
            self._using = trial.candidate
            if present and present is not self._plain:
                present.close()
            self._notify(f"Explaining with {self.engine.description}: {trial.summary()}.")
        else:
            self._end_trial()

    def _reject_trial(self, trial: Trial, problem: str) -> None:
        self._unusable.append(trial.candidate)
        self._warn(f"Not using {trial.engine.description}: {problem}")
        self._end_trial()
        free_memory(trial.engine.device)

    def _end_trial(self) -> None:
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
        """Stop opening, and close the engines. May be called twice."""
        self._opening.close()
        self._end_trial()
        self.release()
