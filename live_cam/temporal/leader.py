"""Which class is shown as the top class: not every frame's, but the one that leads for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PATIENCE: Final = 0.1
"""Seconds by which a class must have led, weighed by its lead: one that is alone needs no more, one
that is twice as probable three times as long."""


class Leader:
    """Follows the top class, and changes its mind only when another one has led for a moment.

    Two classes that are about equally probable would otherwise take turns with the noise.
    """

    def __init__(self) -> None:
        """Start without a class."""
        self.held: int | None = None
        self._rival: int | None = None
        self._lead = 0.0
        self._led = 0.0
        self._since = 0.0

    def follow(self, scores: NDArray[np.float32], timestamp: float) -> int:
        """Take note of a frame, and return the class to show.

        Args:
            scores: C softmax probabilities.
            timestamp: The frame's, in seconds. An earlier one than before is another beginning.
        """
        best = int(scores.argmax())
        elapsed, self._since = timestamp - self._since, timestamp
        if self.held is None or elapsed < 0:
            self.held = best
        if best == self.held:
            self._rival, self._lead, self._led = None, 0.0, 0.0
            return self.held
        if best != self._rival:  # one that fell back begins anew
            self._rival, self._led = best, 0.0
        mine, other = float(scores[self.held]), float(scores[best])
        self._lead = (other - mine) / max(other + mine, 1e-9)
        self._led += self._lead * elapsed
        if self.overdue:
            self.held = best
            self._rival, self._lead, self._led = None, 0.0, 0.0
        return self.held

    def stand_still(self, timestamp: float) -> None:
        """Take note that a frame shows what the last one showed: whoever led then leads on.

        Args:
            timestamp: The frame's, in seconds.
        """
        self._led += self._lead * max(0.0, timestamp - self._since)
        self._since = timestamp

    @property
    def overdue(self) -> bool:
        """Whether another class than the one that is shown has led for long enough."""
        return self._rival is not None and self._led >= _PATIENCE
