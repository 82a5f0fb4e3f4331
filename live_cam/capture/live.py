"""Live sources, which deliver frames at their own pace: cameras and streams.

A dedicated thread keeps reading the device, so that no image grows old in a queue of the driver or
the network. Only this thread touches the device, so nothing is ever released during a blocking
call, and neither `read` nor `close` waits for a driver that hangs.
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
"""Seconds before the first attempt to reopen a lost device; the pause doubles with each attempt."""
_LONGEST_PAUSE: Final = 2.0
"""Seconds. A device that is plugged in again should be back soon."""
_POLL_INTERVAL: Final = 0.25
"""Seconds between two checks whether a lost device is overdue."""
_STOPPED: Final = 1.0
"""Seconds by which a check must be late to show that the process was stopped, as by Ctrl-Z."""
_SILENCE_SHOWN: Final = 1.5
"""Seconds without an image after which the silence is reported."""
_SLACK: Final = 2.0
"""Seconds by which a device's thread may exceed its patience before it counts as hung."""


class LiveSource(BaseSource):
    """A device whose thread reads it, reopens it after a loss, and finally releases it.

    A subclass opens its device in its constructor and then calls `_start`. From then on only the
    thread calls `_grab`, `_reopen`, `_describe` and `_release`.

    Attributes:
        kind: The kind of device, for display.
        patience: Seconds without an image after which `_grab` gives up.
        reconnect: Seconds allowed for reconnecting before `read` raises; 0 disables reconnecting.
    """

    live = True
    kind: ClassVar[str]
    patience: ClassVar[float]

    def __init__(self, name: str, *, reconnect: float = RECONNECT_SECONDS) -> None:
        super().__init__(name)
        self.reconnect = reconnect
        self._count = 0
        self._newest: RawFrame | None = None
        self._last_image_at = time.monotonic()
        self._lost_since: float | None = None
        self._reason: Trouble | None = None
        self._pause = _SHORTEST_PAUSE
        self._failure: BaseException | None = None
        self._watch = Watch(self.kind, name)
        self._fault: Trouble | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        # A daemon, since a backend that blocks for seconds must not delay the program's exit.
        self._thread = threading.Thread(target=self._run, name=f"live_cam {name}", daemon=True)

    def read(self) -> Frame | None:
        with self._changed:
            while not self._stop.is_set():
                if self._newest is not None:
                    raw, self._newest = self._newest, None
                    frame = Frame(raw.image, self._count, raw.timestamp)
                    self._count += 1
                    return frame
                if self._failure is not None:
                    raise self._failure
                # Checked here, since a dead device may block its own thread.
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
                brief = reason.brief if reason else f"{self.kind} lost, reconnecting"
                return f"{brief}… {lost:.0f} of {self.reconnect:g} s"
            silent = time.monotonic() - self._last_image_at
            if silent > _SILENCE_SHOWN:
                return f"{self.kind} sends no images… {silent:.0f} s"
            trouble = self._watch.trouble
            return trouble.brief if trouble else None

    def close(self) -> None:
        # If the device blocks for longer than `CLOSE_WAIT`, its thread releases it afterwards.
        first = not self._stop.is_set()
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if first and self._thread.ident is not None:
            self._thread.join(CLOSE_WAIT)

    def _start(self, first: RawFrame) -> None:
        """Hand the device and its first image over to the thread."""
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
        except BaseException as error:  # raised again by `read`
            self._failure = error
        finally:
            self._release()

    def _wait(self) -> None:
        """Wait for an image or the next check, discounting time for which the process stopped."""
        began = time.monotonic()
        self._changed.wait(_POLL_INTERVAL)
        late = time.monotonic() - began - _POLL_INTERVAL
        if late > _STOPPED:
            self._last_image_at += late
            if self._lost_since is not None:
                self._lost_since += late

    def _offer(self, raw: RawFrame) -> None:
        """Make an image the newest one, and log a recovery or a new fault."""
        self._watch.record(raw.image, raw.timestamp)
        lost_for = self._lost_for()
        if lost_for is not None or self._watch.size_changed_at == raw.timestamp:
            self.description = self._describe(raw.image)
        with self._changed:
            self._newest = raw
            self._last_image_at = time.monotonic()
            self._lost_since = self._reason = None
            self._changed.notify_all()
        self._pause = _SHORTEST_PAUSE
        previous, self._fault = self._fault, self._watch.trouble
        if lost_for is not None:
            _log.warning(
                "Reconnected to %s after %.1f s: %s.", self.name, lost_for, self.description
            )
        elif self._fault and self._fault != previous:
            _log.warning("%s", self._fault.sentence)

    def _recover(self) -> None:
        """Try once to bring a lost device back, after a pause."""
        if self._lost_since is None:
            self._lost_since = time.monotonic()
            if self.reconnect:
                _log.warning("Lost %s; reconnecting for up to %g s.", self.name, self.reconnect)
        # Release first: a camera that comes back while still open gets a new number, and its old
        # number stays dead.
        self._release()
        self._stop.wait(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if not self._stop.is_set() and not self._overdue():
            self._reopen()

    def _lost_for(self) -> float | None:
        """Return for how many seconds the device has been lost, or None if it is not."""
        now = time.monotonic()
        if self._lost_since is not None:
            return now - self._lost_since
        hung_for = now - self._last_image_at - self.patience - _SLACK
        return hung_for if hung_for >= 0 else None

    def _overdue(self) -> bool:
        """Whether the time for reconnecting is over."""
        lost = self._lost_for()
        return lost is not None and lost >= self.reconnect

    def _loss(self) -> str:
        """Return the error message for a device that did not come back."""
        late = f" and did not come back within {self.reconnect:g} s" if self.reconnect else ""
        reason = self._reason
        return f"{self.name} was lost{late}" + (
            f": {reason.sentence}" if reason else f"; {self._remedy()}"
        )

    @abstractmethod
    def _grab(self) -> RawFrame | None:
        """Block until the next image; return None if the device is lost or not open."""

    @abstractmethod
    def _reopen(self) -> None:
        """Try once to open the released device again."""

    @abstractmethod
    def _release(self) -> None:
        """Release the device, if it is open."""

    @abstractmethod
    def _describe(self, image: NDArray[np.uint8]) -> str:
        """Return the image's size, and the format and rate where known."""

    @abstractmethod
    def _remedy(self) -> str:
        """Return advice for a device that did not come back."""
