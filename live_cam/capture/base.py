"""What all sources share, and the base class of sources that are read on demand."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.frame import Frame
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOSE_WAIT: Final = 1.0
"""Seconds that `close` waits for a thread inside the backend before leaving the release to it."""


class RawFrame(NamedTuple):
    """An image and its time, as a backend delivers them; the source adds the index."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    timestamp: float
    """Seconds, on the clock of `Frame.timestamp`."""


class Trouble(NamedTuple):
    """A problem with a source, in a short and a long form."""

    brief: str
    """A few words, for the image: `camera seems frozen`."""
    sentence: str
    """The problem and its remedy, for the terminal."""


class BaseSource(Closing):
    """A named source that is a context manager.

    Attributes:
        name: Display name: `camera 0`, `clip.mp4`, `demo`.
        description: What the source actually delivers: `1280×720 MJPG at 30 fps`.
        live: Whether frames arrive at their own pace and unread ones are lost.
    """

    live: bool

    def __init__(self, name: str) -> None:
        self.name = name
        self.description = ""

    @property
    def trouble(self) -> str | None:
        return None

    @abstractmethod
    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or after `close`."""

    @abstractmethod
    def close(self) -> None:
        """Release the device or file. May be called twice, and from any thread."""


class PacedSource(BaseSource):
    """A source that produces frames on demand, timed by its own clock."""

    live = False

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._count = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def read(self) -> Frame | None:
        with self._lock:
            if self._closed.is_set():
                return None
            try:
                raw = self._next()
            finally:
                # A `close` that timed out waiting for this read has left the release to it.
                if self._closed.is_set():
                    self._release()
            if raw is None or self._closed.is_set():
                return None
            frame = Frame(raw.image, self._count, raw.timestamp)
            self._count += 1
            return frame

    def close(self) -> None:
        self._closed.set()
        if self._lock.acquire(timeout=CLOSE_WAIT):
            try:
                self._release()
            finally:
                self._lock.release()

    @abstractmethod
    def _next(self) -> RawFrame | None:
        """Return the next image, or None at the end and on every later call."""

    @abstractmethod
    def _release(self) -> None:
        """Release the file. Further calls do nothing."""
