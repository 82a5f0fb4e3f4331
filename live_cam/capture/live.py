"""Sources with a pace of their own: cameras and live streams.

A thread of its own keeps taking images from the device, so that none grows old in a queue of the
driver or the network. It alone touches the device, so that nothing is ever released under a call
that blocks: neither `read` nor `close` waits for a driver that hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from live_cam.capture.base import CLOSE_WAIT, BaseSource, RawFrame
from live_cam.capture.watch import Watch
from live_cam.errors import CaptureError
from live_cam.frame import Frame
from live_cam.settings import RECONNECT_SECONDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from live_cam.capture.base import Trouble

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE: Final = 0.25
"""Seconds before the first attempt to open a lost device again; each one after waits twice as
long."""
_LONGEST_PAUSE: Final = 2.0
"""Seconds; what is plugged in again should not be waited for longer."""
_LOOK: Final = 0.25
"""Seconds between two looks at whether a lost device is overdue."""
_STOOD: Final = 1.0
"""Seconds by which a look comes too late where the process was stopped, as by Ctrl-Z."""
_NOTICED: Final = 1.5
"""Seconds without an image that are worth a word."""
_SLACK: Final = 2.0
"""Seconds by which a device's thread may exceed its patience before it is taken to hang."""


class LiveSource(BaseSource):
    """A device that a thread reads, reopens when it is lost, and releases in the end.

    A subclass opens its device when it is made and then calls `_start`. Its `_grab`, `_reopen`,
    `_describe` and `_release` are from then on called by that thread alone.

    Attributes:
        kind: What it is to the user, in a word.
        patience: Seconds without an image after which `_grab` gives up.
        reconnect: Seconds in which a lost device may come back before `read` raises; 0: none.
    """

    live = True
    kind: ClassVar[str]
    patience: ClassVar[float]

    def __init__(self, name: str, *, reconnect: float = RECONNECT_SECONDS) -> None:
        super().__init__(name)
        self.reconnect = reconnect
        self._count = 0
        self._newest: RawFrame | None = None
        self._seen_at = time.monotonic()
        self._lost_since: float | None = None
        self._reason: Trouble | None = None
        self._pause = _SHORTEST_PAUSE
        self._failure: BaseException | None = None
        self._watch = Watch(self.kind, name)
        self._told: Trouble | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        # A daemon: a backend that blocks for seconds must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"live_cam {name}", daemon=True)

    def read(self) -> Frame | None:
        """Wait for an image that was not read yet and return the newest, or None after `close`.

        Raises:
            CaptureError: The device was lost and did not come back in time.
        """
        with self._changed:
            while not self._stop.is_set():
                if self._newest is not None:
                    raw, self._newest = self._newest, None
                    frame = Frame(raw.image, self._count, raw.timestamp)
                    self._count += 1
                    return frame
                if self._failure is not None:
                    raise self._failure
                # Judged here and not by the device's thread, which a dead device may block.
                if self._overdue():
                    raise CaptureError(self._loss())
                self._wait()
            return None

    @property
    def trouble(self) -> str | None:
        with self._changed:
            if self._stop.is_set():
                return None
            lost, reason = self._lost_for(), self._reason
            if lost is not None:
                what = reason.brief if reason else f"{self.kind} lost, looking for it"
                return f"{what}… {lost:.0f} of {self.reconnect:g} s"
            silent = time.monotonic() - self._seen_at
            if silent > _NOTICED:
                return f"{self.kind} sends no images… {silent:.0f} s"
            trouble = self._watch.trouble
            return trouble.brief if trouble else None

    def close(self) -> None:
        """Let go of the device. May be called twice, and from any thread.

        A device that blocks for longer than a second is released by its own thread, as soon as it
        comes back from it.
        """
        first = not self._stop.is_set()
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if first and self._thread.ident is not None:
            self._thread.join(CLOSE_WAIT)

    def _start(self, first: RawFrame) -> None:
        """Hand over the device and the first image to the thread."""
        self._offer(first)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self._overdue():
                raw = self._grab()
                if raw is not None:
                    self._offer(raw)
                elif not self._stop.is_set():
                    self._recover()
        except BaseException as error:  # every failure is the reader's
            self._failure = error
        finally:
            self._release()

    def _wait(self) -> None:
        """Wait for an image or the next look. Time in which this process stood still is none."""
        began = time.monotonic()
        self._changed.wait(_LOOK)
        stood = time.monotonic() - began - _LOOK
        if stood > _STOOD:
            self._seen_at += stood
            if self._lost_since is not None:
                self._lost_since += stood

    def _offer(self, raw: RawFrame) -> None:
        self._watch.see(raw.image, raw.timestamp)
        back = self._lost_for()
        if back is not None or self._watch.size_changed_at == raw.timestamp:
            self.description = self._describe(raw.image)
        with self._changed:
            self._newest = raw
            self._seen_at = time.monotonic()
            self._lost_since = self._reason = None
            self._changed.notify_all()
        self._pause = _SHORTEST_PAUSE
        # What is wrong with the images is said when it begins.
        told, self._told = self._told, self._watch.trouble
        if back is not None:
            _log.warning("%s is back after %.1f s: %s.", self.name, back, self.description)
        elif self._told and self._told != told:
            _log.warning("%s", self._told.sentence)

    def _recover(self) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
            if self.reconnect:
                _log.warning(
                    "%s was lost; it is looked for, for up to %g s.", self.name, self.reconnect
                )
        # Released first: a camera that comes back while it is still open gets another number, and
        # its own stays dead.
        self._release()
        self._stop.wait(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if not self._stop.is_set() and not self._overdue():
            self._reopen()

    def _lost_for(self) -> float | None:
        """Return for how many seconds the device has been lost; None while it is there."""
        now = time.monotonic()
        if self._lost_since is not None:
            return now - self._lost_since
        overdrawn = now - self._seen_at - self.patience - _SLACK
        return overdrawn if overdrawn >= 0 else None

    def _overdue(self) -> bool:
        """Whether a lost device has been away for too long."""
        lost = self._lost_for()
        return lost is not None and lost >= self.reconnect

    def _loss(self) -> str:
        """The sentence for a device that did not come back."""
        late = f" and did not come back within {self.reconnect:g} s" if self.reconnect else ""
        reason = self._reason
        return f"{self.name} was lost{late}" + (
            f": {reason.sentence}" if reason else f"; {self._remedy()}"
        )

    @abstractmethod
    def _grab(self) -> RawFrame | None:
        """Block until the next image; None when the device is lost or not open."""

    @abstractmethod
    def _reopen(self) -> None:
        """Try once to open the released device again."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the device; nothing when it is not open."""

    @abstractmethod
    def _describe(self, image: NDArray[np.uint8]) -> str:
        """What the device gives: the image's size, its format and rate as far as known."""

    @abstractmethod
    def _remedy(self) -> str:
        """What the user can do about a device that did not come back."""
