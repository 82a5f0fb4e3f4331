"""Playback of a source at its own speed: files by their timestamps, cameras as frames arrive."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_cam.capture import Source
    from live_cam.frame import Frame

_POLL = 0.02


class Playback:
    """Iterates over a source's frames, each when it is due.

    A live source paces itself and cannot be paused: reading it yields the present. Any other
    source is read by a clock, which stops while `paused` is set.

    Args:
        source: Where frames come from. It is not read before the iteration starts, nor closed.
        stop: Ends the iteration when set.
    """

    def __init__(self, source: Source, stop: threading.Event) -> None:
        self.paused = threading.Event()
        self._source = source
        self._stop = stop

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until the source ends or `stop` is set.

        Raises:
            CaptureError: The source was lost.
        """
        start: float | None = None
        while not self._stop.is_set():
            frame = self._source.read()
            if frame is None:
                return
            if not self._source.live:
                if start is None:  # the first frame is shown even while paused
                    start = time.monotonic() - frame.timestamp
                else:
                    start += self._wait_until_due(start + frame.timestamp)
            yield frame

    def _wait_until_due(self, due: float) -> float:
        """Wait, and return for how many seconds the clock was stopped meanwhile."""
        stopped = 0.0
        while not self._stop.is_set():
            if self.paused.is_set():
                before = time.monotonic()
                self._stop.wait(_POLL)
                stopped += time.monotonic() - before
                continue
            left = due + stopped - time.monotonic()
            if left <= 0:
                break
            self._stop.wait(min(left, _POLL))
        return stopped
