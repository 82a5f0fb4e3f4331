"""Sources of frames for tests: what a camera or a file would give, without either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from live_cam.errors import CaptureError
from live_cam.frame import Frame
from live_cam.runtime.closing import Closing


class FakeSource(Closing):
    """Frames with given timestamps; a live one waits for them by the clock, as a camera does."""

    name = "fake"
    description = "64×48 at 30 fps"
    trouble = None

    def __init__(
        self,
        timestamps: Sequence[float],
        *,
        live: bool = False,
        paint: Callable[[int], NDArray[np.uint8]] | None = None,
        lost_at: int | None = None,
    ) -> None:
        self.live = live
        self.reads = 0
        self.closed = threading.Event()
        self._timestamps = timestamps
        self._paint = paint or (lambda index: np.full((48, 64, 3), index % 256, np.uint8))
        self._lost_at = lost_at
        self._start = time.monotonic()

    def read(self) -> Frame | None:
        index = self.reads
        if index == self._lost_at:
            raise CaptureError("fake was lost.")
        if self.closed.is_set() or index >= len(self._timestamps):
            return None
        self.reads += 1
        timestamp = self._timestamps[index]
        if self.live:
            timestamp += self._start
            self.closed.wait(max(timestamp - time.monotonic(), 0))
        return Frame(self._paint(index), index, timestamp)

    def close(self) -> None:
        self.closed.set()
