"""Sources with a pace of their own: cameras and live streams.

A thread of its own keeps taking pictures from the device, so that none grows old in a queue of the
driver or the network. It alone touches the device, so that nothing is ever released under a call
that blocks: neither `read` nor `close` waits for a driver that hangs.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from typing import Final

from live_cam.capture.base import CLOSE_WAIT, BaseSource, Picture
from live_cam.capture.source import Frame
from live_cam.errors import CaptureError

GRACE: Final = 10.0
"""Seconds in which a lost device may come back before the source fails."""
_RETRY_PAUSE: Final = 0.25
"""Seconds between two attempts to open a lost device again."""
_WATCH: Final = 0.25
"""Seconds between two looks at whether a lost device is overdue."""


class LiveSource(BaseSource):
    """A device that a thread reads, reopens when it is lost, and releases in the end.

    A subclass opens its device when it is made and then calls `_start`. Its `_grab`, `_reopen` and
    `_release` are from then on called by that thread alone.

    Attributes:
        grace: Seconds in which a lost device may come back before `read` raises.
    """

    live = True

    def __init__(self, name: str, *, grace: float = GRACE) -> None:
        super().__init__(name)
        self.grace = grace
        self._count = 0
        self._newest: Picture | None = None
        self._lost_since: float | None = None
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        # A daemon: a backend that blocks for seconds must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"live_cam {name}", daemon=True)

    def read(self) -> Frame | None:
        """Wait for a picture that was not read yet and return the newest, or None after `close`.

        Raises:
            CaptureError: The device was lost and did not come back within the grace time.
        """
        with self._changed:
            while not self._stop.is_set():
                if self._newest is not None:
                    picture, self._newest = self._newest, None
                    frame = Frame(picture.image, self._count, picture.timestamp)
                    self._count += 1
                    return frame
                if self._failure is not None:
                    raise self._failure
                # Judged here and not by the device's thread, which a dead device may block.
                lost = self._lost_since
                if lost is not None and time.monotonic() - lost >= self.grace:
                    raise CaptureError(self._lost())
                self._changed.wait(_WATCH)
            return None

    def close(self) -> None:
        """Let go of the device. May be called twice, and from any thread.

        A device that blocks for longer than a second is released by its own thread, as soon as it
        comes back from it.
        """
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_WAIT)

    def _start(self, first: Picture) -> None:
        """Hand over the device and the first picture to the thread."""
        self._newest = first
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                picture = self._grab()
                if picture is not None:
                    self._offer(picture)
                else:
                    self._recover()
        except BaseException as error:  # every failure is the reader's
            self._failure = error
        finally:
            self._release()

    def _offer(self, picture: Picture) -> None:
        with self._changed:
            self._newest = picture
            self._lost_since = None
            self._changed.notify_all()

    def _recover(self) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        # Released first: a camera that comes back while it is still open gets another number, and
        # its own stays dead.
        self._release()
        self._stop.wait(_RETRY_PAUSE)
        if not self._stop.is_set():
            self._reopen()

    @abstractmethod
    def _grab(self) -> Picture | None:
        """Block until the next picture; None when the device is lost or not open."""

    @abstractmethod
    def _reopen(self) -> None:
        """Try once to open the released device again."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the device; nothing when it is not open."""

    @abstractmethod
    def _lost(self) -> str:
        """The sentence for a device that did not come back."""
