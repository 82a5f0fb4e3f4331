"""The times of a file, made steady where a broken file's are not."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_JUMP: Final = Fraction(1)
"""Seconds: what goes back by more is a clock that has started over."""


class Timeline:
    """Says when each image or sound of a stream begins, by the file's clock, which starts at 0.

    Times are kept as they are, but where nobody says any, where two are the same or in the wrong
    order, and where the clock starts over.
    """

    def __init__(self, origin: Fraction, tick: Fraction) -> None:
        """Begin a stream.

        Args:
            origin: What the stream's times call the clock's 0, in seconds.
            tick: The least time between two beginnings, in seconds.
        """
        self._origin = origin
        self._tick = tick
        self._last: Fraction | None = None
        self.end = Fraction(0)
        """When the last one ends, in seconds."""

    def place(self, time: Fraction | None, duration: Fraction) -> Fraction:
        """Return when the next one begins, in seconds: later than the one before.

        Args:
            time: What the stream says, in seconds; None: nothing.
            duration: For how long it lasts, in seconds.
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
