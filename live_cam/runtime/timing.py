"""Frames per second, and the duration of each processing stage."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class FPSMeter:
    """Measures how many events happen per second, over a sliding window.

    n timestamps span n-1 intervals, so the rate is (n-1) / (last - first). Only timestamps within
    the last `window` seconds count: the rate follows changes, and becomes None after that long
    without an event.
    """

    def __init__(self, window: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without events.

        Args:
            window: Length of the window in seconds.
            clock: Returns the time in seconds.
        """
        self._window = window
        self._clock = clock
        self._timestamps: deque[float] = deque()

    def tick(self) -> None:
        """Record an event now."""
        self._timestamps.append(self._clock())

    @property
    def rate(self) -> float | None:
        """Events per second, or None with fewer than two events in the window."""
        timestamps = self._timestamps
        oldest = self._clock() - self._window
        while timestamps and timestamps[0] < oldest:
            timestamps.popleft()
        if len(timestamps) < 2 or timestamps[-1] <= timestamps[0]:
            return None
        return (len(timestamps) - 1) / (timestamps[-1] - timestamps[0])


class StageTimer:
    """Measures the duration of each named stage of a task.

    Attributes:
        seconds: Seconds by stage name, in the order in which the stages first ended.
    """

    def __init__(self) -> None:
        """Start without stages."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block under a name. Blocks of the same name add up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed
