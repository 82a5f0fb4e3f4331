"""Which few of many are shown, and in which order: not every frame's ranking, but a steady one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.settings import TOP_K
from live_cam.temporal.leader import Leader

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARGIN: Final = 1.25
"""How many times as much as another one it takes to get ahead of it. Less is noise."""


class Ranking:
    """Ranks by size, but lets what is shown stay where it is until something is clearly larger.

    Of many classes or feature maps some are always about equal, and would change places with the
    noise.
    """

    def __init__(self) -> None:
        """Start without anything shown."""
        self._held: list[int] = []

    def follow(self, sizes: NDArray[np.float32], count: int) -> list[int]:
        """Take note of a frame, and return what to show, the largest first.

        Args:
            sizes: Of each of the many.
            count: How many of them are shown; all, if there are fewer.
        """
        favoured = sizes.copy()
        favoured[self._held] = sizes[self._held] + (_MARGIN - 1) * np.abs(sizes[self._held])
        best = np.argsort(-favoured, kind="stable")[:count].tolist()
        order = [index for index in self._held if index in best]
        order += [index for index in best if index not in self._held]
        for end in range(1, len(order)):
            place = end
            while place and sizes[order[place]] > _MARGIN * max(sizes[order[place - 1]], 0.0):
                order[place - 1 : place + 1] = order[place], order[place - 1]
                place -= 1
        self._held = order
        return list(order)


class Standings:
    """Which class is shown as the most probable one, which as the second, and so on.

    Attributes:
        ranks: The best `TOP_K` classes, or all if there are fewer; none before the first frame.
    """

    def __init__(self) -> None:
        """Start without a class."""
        self.ranks: tuple[int, ...] = ()
        self._leader = Leader()
        self._others = Ranking()

    def follow(self, scores: NDArray[np.float32], timestamp: float) -> None:
        """Take note of a frame.

        Args:
            scores: C softmax probabilities.
            timestamp: As in `Leader.follow`.
        """
        first = self._leader.follow(scores, timestamp)
        others = scores.copy()
        others[first] = -1.0
        count = min(TOP_K, len(scores)) - 1
        self.ranks = (first, *self._others.follow(others, count))

    def stand_still(self, timestamp: float) -> None:
        """Record a frame that shows what the last one showed (see `Leader.stand_still`)."""
        self._leader.stand_still(timestamp)

    @property
    def overdue(self) -> bool:
        """Whether another class has led for long enough to be shown first."""
        return self._leader.overdue
