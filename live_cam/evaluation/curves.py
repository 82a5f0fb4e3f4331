"""Deletion and insertion curves: a class's probability while pixels are removed or restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from live_cam.cam.metrics import blurred, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_BATCH: Final = 64
"""The largest number of changed images in memory at the same time."""


class Curves:
    """The deletion and insertion curves of one image, for any map (Petsiuk et al. 2018, sec. 4.2).

    The end points of both curves are the same for all maps and are computed once.

    Attributes:
        whole: The probability on the unchanged image, a scalar.
    """

    def __init__(self, x: Tensor, probability: Callable[[Tensor], Tensor], counts: Tensor) -> None:
        """Compute the end points.

        Args:
            x: The image, 1×3×H×W float32, normalised.
            probability: Maps N×3×H×W to N float32 probabilities on the CPU.
            counts: M int64, from `metrics.step_counts`.
        """
        empty, blurry = torch.zeros_like(x), blurred(x)
        self.whole, self._empty, self._blurred = probability(torch.cat([x, empty, blurry]))
        self._image, self._mean_colour, self._blurry = x[0], empty[0], blurry[0]
        self._probability = probability
        self._between = counts[1:-1].to(x.device)

    def deletion(self, rank: Tensor) -> Tensor:
        """Return the probability while the hottest pixels are replaced by the mean colour.

        Args:
            rank: H×W int64, from `metrics.ranks`.

        Returns:
            M float32, on the CPU.
        """
        between = self._curve(self._image, self._mean_colour, rank)
        return torch.stack([self.whole, *between, self._empty])

    def insertion(self, rank: Tensor) -> Tensor:
        """Return the probability while the hottest pixels of a blurred image are restored.

        Args:
            rank: H×W int64, from `metrics.ranks`.

        Returns:
            M float32, on the CPU.
        """
        between = self._curve(self._blurry, self._image, rank)
        return torch.stack([self._blurred, *between, self.whole])

    def _curve(self, start: Tensor, finish: Tensor, rank: Tensor) -> list[Tensor]:
        rank = rank.to(start.device)
        probabilities: list[Tensor] = []
        for first in range(0, len(self._between), _BATCH):
            counts = self._between[first : first + _BATCH]
            probabilities += self._probability(changed(start, finish, rank, counts))
        return probabilities
