"""What the sources have in common: their public face, and the ones that are read at will."""

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
"""Seconds that `close` waits for a thread inside the backend. Then it leaves the release to it."""


class RawFrame(NamedTuple):
    """What a backend gives before it is counted."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    timestamp: float
    """Seconds, of the clock that `Frame.timestamp` tells."""


class Trouble(NamedTuple):
    """What is wrong with a source."""

    brief: str
    """In a few words, for the image: `camera seems frozen`."""
    sentence: str
    """With the remedy, for the terminal."""


class BaseSource(Closing):
    """A source that is a context manager and has the names that the user sees.

    Attributes:
        name: What the user knows it as: `camera 0`, `clip.mp4`, `demo`.
        description: What it really gives: `1280×720 MJPG at 30 fps`.
        live: Whether frames come at their own pace and what is not read is lost.
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
        """Let go of the device or file. May be called twice, and from any thread."""


class PacedSource(BaseSource):
    """A source that gives its next image whenever it is asked, by the stream's own clock."""

    live = False

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._count = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or after `close`.

        Raises:
            CaptureError: The source was lost, or what it holds cannot be decoded.
        """
        with self._lock:
            if self._closed.is_set():
                return None
            try:
                raw = self._next()
            finally:
                # A `close` that could not wait for this read has left the release to it.
                if self._closed.is_set():
                    self._release()
            if raw is None or self._closed.is_set():
                return None
            frame = Frame(raw.image, self._count, raw.timestamp)
            self._count += 1
            return frame

    def close(self) -> None:
        """Let go of the file. May be called twice, and from any thread."""
        self._closed.set()
        if self._lock.acquire(timeout=CLOSE_WAIT):
            try:
                self._release()
            finally:
                self._lock.release()

    @abstractmethod
    def _next(self) -> RawFrame | None:
        """Return the next image; None at the end, and ever after."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the file; nothing the second time."""
