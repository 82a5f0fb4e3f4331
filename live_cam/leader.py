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
        self._since = 0.0
        self._led: dict[int, float] = {}

    def follow(self, scores: NDArray[np.float32], timestamp: float) -> int:
        """Take note of a frame, and return the class to show.

        Args:
            scores: C softmax probabilities.
            timestamp: The frame's, in seconds.
        """
        best = int(scores.argmax())
        elapsed = timestamp - self._since
        self._since = timestamp
        if self.held is None or elapsed < 0:
            self._led.clear()
            self.held = best
        elif best == self.held:
            self._led.clear()
        else:
            mine, other = float(scores[self.held]), float(scores[best])
            lead = (other - mine) / max(other + mine, 1e-9)
            # A rival that fell back begins anew.
            self._led = {best: self._led.get(best, 0.0) + lead * elapsed}
            if self._led[best] >= _PATIENCE:
                self._led.clear()
                self.held = best
        return self.held
