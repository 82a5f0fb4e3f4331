"""Hysteresis for what is on screen: the top classes and the strongest feature maps.

Among many classes or feature maps, some are always almost equal. Sorting them in each frame would
let noise swap their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.settings import TOP_K

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PATIENCE: Final = 0.1
"""Seconds that a class must lead, weighted by its relative lead, before it is shown. A class with
no competition needs just these; one that is twice as probable as the other needs three times as
long."""
_MARGIN: Final = 1.25
"""How many times larger a value must be to overtake another one. Anything less is noise."""


class LeadingClass:
    """The class shown as the top class; another one replaces it only after leading for a moment.

    Attributes:
        index: The class shown, or None before the first frame.
    """

    def __init__(self) -> None:
        self.index: int | None = None
        self._rival: int | None = None
        self._lead = 0.0
        self._led = 0.0
        self._since = 0.0

    def update(self, probabilities: NDArray[np.float32], timestamp: float) -> int:
        """Record a frame and return the class to show.

        Args:
            probabilities: Softmax probabilities of all C classes.
            timestamp: The frame's timestamp in seconds. One earlier than the last restarts.
        """
        best = int(probabilities.argmax())
        elapsed, self._since = timestamp - self._since, timestamp
        if self.index is None or elapsed < 0:
            self.index = best
        if best == self.index:
            self._clear_rival()
            return self.index
        if best != self._rival:  # a rival that fell back starts from zero
            self._rival, self._led = best, 0.0
        shown, other = float(probabilities[self.index]), float(probabilities[best])
        self._lead = (other - shown) / max(other + shown, 1e-9)
        self._led += self._lead * elapsed
        if self.overdue:
            self.index = best
            self._clear_rival()
        return self.index

    def _clear_rival(self) -> None:
        self._rival, self._lead, self._led = None, 0.0, 0.0

    def repeat(self, timestamp: float) -> None:
        """Record a frame that shows the same as the last one, so that its leader still leads.

        Args:
            timestamp: The frame's timestamp in seconds.
        """
        self._led += self._lead * max(0.0, timestamp - self._since)
        self._since = timestamp

    @property
    def overdue(self) -> bool:
        """Whether another class has led long enough to be shown."""
        return self._rival is not None and self._led >= _PATIENCE


class Ranking:
    """The largest of many values, in an order that changes only when one is clearly larger."""

    def __init__(self) -> None:
        self._shown: list[int] = []

    def update(self, values: NDArray[np.float32], count: int) -> list[int]:
        """Record a frame and return the indices of the largest values, largest first.

        Args:
            values: One for each candidate.
            count: How many indices to return, or all if there are fewer.
        """
        favoured = values.copy()
        favoured[self._shown] = values[self._shown] + (_MARGIN - 1) * np.abs(values[self._shown])
        best = np.argsort(-favoured, kind="stable")[:count].tolist()
        order = [index for index in self._shown if index in best]
        order += [index for index in best if index not in self._shown]
        for end in range(1, len(order)):
            place = end
            while place and values[order[place]] > _MARGIN * max(values[order[place - 1]], 0.0):
                order[place - 1 : place + 1] = order[place], order[place - 1]
                place -= 1
        self._shown = order
        return list(order)


class TopClasses:
    """The classes shown as the most probable ones, in a steady order.

    Attributes:
        indices: The best `TOP_K` classes, or all if there are fewer. Empty before the first frame.
    """

    def __init__(self) -> None:
        self.indices: tuple[int, ...] = ()
        self._leader = LeadingClass()
        self._others = Ranking()

    def update(self, probabilities: NDArray[np.float32], timestamp: float) -> None:
        """Record a frame.

        Args:
            probabilities: Softmax probabilities of all C classes.
            timestamp: As in `LeadingClass.update`.
        """
        first = self._leader.update(probabilities, timestamp)
        others = probabilities.copy()
        others[first] = -1.0
        count = min(TOP_K, len(probabilities)) - 1
        self.indices = (first, *self._others.update(others, count))

    def repeat(self, timestamp: float) -> None:
        """Record a frame that shows the same as the last one (see `LeadingClass.repeat`)."""
        self._leader.repeat(timestamp)

    @property
    def overdue(self) -> bool:
        """Whether another class has led long enough to be shown first."""
        return self._leader.overdue
