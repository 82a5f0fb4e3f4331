"""A class's probability while an image is taken apart, or put together, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from live_cam.cam.metrics import blurred, changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_AT_ONCE: Final = 64
"""Steps whose images are in memory together."""


class Curves:
    """The deletion and insertion curves of one image, by any map.

    Petsiuk et al. 2018, section 4.2. Both ends of both curves are the same for all maps.

    Attributes:
        whole: The probability on the whole image, a scalar.
    """

    def __init__(self, x: Tensor, probability: Callable[[Tensor], Tensor], counts: Tensor) -> None:
        """Score the ends.

        Args:
            x: 1×3×H×W float32, normalised: the image.
            probability: From N×3×H×W to N float32 on the CPU.
            counts: M int64, as `metrics.step_counts` gives them.
        """
        nothing, blurry = torch.zeros_like(x), blurred(x)
        self.whole, self._nothing, self._blurred = probability(torch.cat([x, nothing, blurry]))
        self._image, self._mean_colour, self._blurry = x[0], nothing[0], blurry[0]
        self._probability = probability
        self._between = counts[1:-1].to(x.device)

    def deletion(self, rank: Tensor) -> Tensor:
        """Return the probability while the hottest places become the mean colour.

        Args:
            rank: H×W int64, as `metrics.ranks` gives it.

        Returns:
            M float32, on the CPU.
        """
        between = self._curve(self._image, self._mean_colour, rank)
        return torch.stack([self.whole, *between, self._nothing])

    def insertion(self, rank: Tensor) -> Tensor:
        """Return the probability while the hottest places come back into the blurred image.

        Args:
            rank: As above.

        Returns:
            M float32, on the CPU.
        """
        between = self._curve(self._blurry, self._image, rank)
        return torch.stack([self._blurred, *between, self.whole])

    def _curve(self, start: Tensor, finish: Tensor, rank: Tensor) -> list[Tensor]:
        rank = rank.to(start.device)
        scored: list[Tensor] = []
        for first in range(0, len(self._between), _AT_ONCE):
            counts = self._between[first : first + _AT_ONCE]
            scored += self._probability(changed(start, finish, rank, counts))
        return scored
