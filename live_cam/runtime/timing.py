"""Rates and durations: frames per second, and how long each stage took."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class FPSMeter:
    """How often something happens per second, over the last moments.

    n stamps span n-1 intervals: the rate is (n-1) / (last - first). Only stamps of the last
    `window` seconds count, so that the figure follows a change; it falls to None when nothing
    happened for that long.
    """

    def __init__(self, window: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any stamp.

        Args:
            window: Seconds to look back.
            clock: Gives the time in seconds.
        """
        self._window = window
        self._clock = clock
        self._stamps: deque[float] = deque()

    def tick(self) -> None:
        """Note that it happened now."""
        self._stamps.append(self._clock())

    @property
    def rate(self) -> float | None:
        """Events per second; None with fewer than two stamps in the window."""
        oldest = self._clock() - self._window
        while self._stamps and self._stamps[0] < oldest:
            self._stamps.popleft()
        if len(self._stamps) < 2 or self._stamps[-1] <= self._stamps[0]:
            return None
        return (len(self._stamps) - 1) / (self._stamps[-1] - self._stamps[0])


class StageTimer:
    """How long each named stage of one piece of work took.

    Attributes:
        seconds: Seconds by the stage's name, in the order the stages ended.
    """

    def __init__(self) -> None:
        """Start without any stage."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under this name; a name that comes again adds up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed
