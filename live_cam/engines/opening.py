"""Engines opened one after the other, in a thread of its own, while another one explains."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from live_cam.engines.faults import FAILURES
from live_cam.errors import EngineError, LiveCamError, first_line
from live_cam.runtime.closing import Closing
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.engines.engine import Engine

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


class Opening(Closing):
    """Opens candidates and hands each engine over as soon as it is open."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        refused: Callable[[Candidate, LiveCamError], None],
        *,
        patient: bool = False,
    ) -> None:
        """Start opening.

        Args:
            candidates: In the order in which they are opened.
            refused: Told of one that could not be opened, in this thread's own time.
            patient: Whether nobody waits for frames to come first.
        """
        self.candidates = tuple(candidates)
        self._refused = refused
        self._patient = patient
        self._frames: list[NDArray[np.uint8]] = []
        self._opened: queue.Queue[tuple[Candidate, Engine] | None] = queue.Queue()
        self._stop = threading.Event()
        self._worker = Worker("engines", self._open_all)
        if self.candidates:
            self._worker.start()

    def keep(self, image: NDArray[np.uint8]) -> None:
        """Keep a frame to calibrate on, H×W×3 BGR, where a candidate needs more of them."""
        if len(self._frames) < max(each.frames for each in self.candidates):
            self._frames.append(image)

    def next(self) -> tuple[Candidate, Engine] | None:
        """Return what has opened; None: there is no more to come.

        Raises:
            queue.Empty: None has opened yet; a patient one waits a moment for it.
        """
        try:
            opened = self._opened.get(timeout=_POLL if self._patient else 0.0)
        except queue.Empty:
            self._worker.check()
            raise
        if opened is None:
            self._frames.clear()
        return opened

    @property
    def abandoned(self) -> bool:
        """Whether nothing more is to come, as nobody wants it."""
        return self._stop.is_set()

    def abandon(self) -> None:
        """Let nothing more be opened, without waiting until that is so."""
        self._stop.set()
        self._close_opened()

    def _open_all(self) -> None:
        for candidate in self.candidates:
            while len(self._frames) < candidate.frames and not self._patient:
                if self._stop.wait(_POLL):
                    return
            self._open(candidate)
            if self._stop.is_set():
                self._close_opened()
                return
        self._opened.put(None)

    def _open(self, candidate: Candidate) -> None:
        try:
            self._opened.put((candidate, candidate.open(list(self._frames), self._stop)))
        except (LiveCamError, *FAILURES) as error:
            if not self._stop.is_set():
                self._refused(candidate, _named(error, candidate))

    def _close_opened(self) -> None:
        while True:
            try:
                opened = self._opened.get_nowait()
            except queue.Empty:
                return
            if opened:
                opened[1].close()

    def close(self) -> None:
        """Give up what is being opened, and close what nobody took. May be called twice."""
        self._stop.set()
        self._worker.join()
        self._close_opened()


def _named(error: Exception, candidate: Candidate) -> LiveCamError:
    if isinstance(error, LiveCamError):
        return error
    return EngineError(f"{candidate.title} cannot be opened ({first_line(error)}).")
