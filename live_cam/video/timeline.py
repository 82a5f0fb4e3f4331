"""The times of a stream, repaired where they are missing or out of order."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_JUMP: Final = Fraction(1)
"""Seconds; a larger step backwards means that the clock was reset."""


class Timeline:
    """Places the frames or packets of a stream on the file's clock, which starts at 0.

    Times are kept unless they are missing, repeated or out of order, or the clock is reset.
    """

    def __init__(self, origin: Fraction, tick: Fraction) -> None:
        """Start an empty timeline.

        Args:
            origin: The clock's 0 in the stream's own times, in seconds.
            tick: The smallest distance between two start times, in seconds.
        """
        self._origin = origin
        self._tick = tick
        self._last: Fraction | None = None
        self.end = Fraction(0)
        """The latest end so far, in seconds."""

    def place(self, time: Fraction | None, duration: Fraction) -> Fraction:
        """Return the start time of the next frame or packet: later than all before, in seconds.

        Args:
            time: Its time in the stream, in seconds, or None if the stream gives none.
            duration: Its duration in seconds.
        """
        if time is None:
            placed = self.end
        else:
            placed = time - self._origin
            if self._last is not None and placed < self._last - _JUMP:
                placed = self.end
                self._origin = time - placed
        if self._last is not None:
            placed = max(placed, self._last + self._tick)
        self._last = placed
        self.end = max(self.end, placed + duration)
        return placed
