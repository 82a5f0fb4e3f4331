"""Figures of how far a map can be trusted: pure functions of maps, images and scores.

None of them says whether the network is right; all say whether the map shows what the network's
score depends on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional
from torchvision.transforms.v2.functional import gaussian_blur

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON: Final = 1e-7
BLUR: Final = 1 / 20
"""Standard deviation of the blur from which insertion begins, as a share of the input's side. The
authors' code takes a kernel of 11 pixels, which leaves a cat half of its probability."""
_REACH: Final = 3
"""Standard deviations after which the blur's kernel ends."""


def laid_over(maps: Tensor, height: int, width: int) -> Tensor:
    """Scale each map from 0 to 1 and lay it over an image.

    As torch-cam does: m ← (m - min m) / (max m - min m), then bilinear, aligned to the pixels'
    centres.

    Args:
        maps: N×h×w float32, of any scale.
        height: The image's height in pixels.
        width: Its width in pixels.

    Returns:
        N×height×width float32 in [0, 1]; 0 everywhere where a map is constant.
    """
    lowest = maps.amin(dim=(1, 2), keepdim=True)
    spread = maps.amax(dim=(1, 2), keepdim=True) - lowest
    unit = (maps - lowest) / (spread + _EPSILON)
    enlarged = functional.interpolate(
        unit[:, None], (height, width), mode="bilinear", align_corners=False
    )
    return enlarged[:, 0]


def masked(x: Tensor, kept: Tensor) -> Tensor:
    """Keep of an image what a mask shows: kept · x.

    Args:
        x: N×3×H×W float32, normalised: 0 is the mean colour of what the network was trained on.
        kept: H×W or N×H×W float32: 1 where the image stays, 0 where it becomes that colour.

    Returns:
        N×3×H×W float32.
    """
    return x * kept.unsqueeze(-3)


def drop(before: Tensor, after: Tensor) -> Tensor:
    """Return which share of the score is lost when only what the map shows is left.

    max(0, Y - O) / Y, with Y the class's probability on the image and O that on the image
    multiplied with the map; its mean over images is the Average Drop of Chattopadhay et al.,
    "Grad-CAM++", WACV 2018, section 4.1.

    Args:
        before: N float32 probabilities: Y.
        after: N float32 probabilities: O.

    Returns:
        N float32 in [0, 1]: the lower, the better.
    """
    return (before - after).relu() / (before + _EPSILON)


def increases(before: Tensor, after: Tensor) -> Tensor:
    """Return whether the score rises when only what the map shows is left: Y < O.

    Its share of the images is the Increase in Confidence of Chattopadhay et al. 2018, section
    4.1: the higher, the better.

    Args:
        before: N float32 probabilities, as in `drop`.
        after: N float32 probabilities, as in `drop`.

    Returns:
        N bool.
    """
    return before < after


def ranks(maps: Tensor) -> Tensor:
    """Number the places of each map from the hottest on.

    Args:
        maps: N×H×W float32.

    Returns:
        N×H×W int64, from 0 to H·W - 1. Equally hot places are numbered as one reads, as torch-cam
        does.
    """
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(maps)


def step_counts(places: int, steps: int) -> list[int]:
    """Return how many places are changed after each step of a curve.

    Args:
        places: How many there are.
        steps: In how many steps all of them are changed; all steps but the last are equal.

    Returns:
        From 0 to `places`, rising: `steps` + 1 of them, or less where there are fewer places.
    """
    size = -(-places // steps)
    return [*range(0, places, size), places]


def changed(start: Tensor, finish: Tensor, rank: Tensor, counts: Tensor) -> Tensor:
    """Put the hottest places of one image into another one.

    A step of Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box
    Models", BMVC 2018, section 4.2: deletion begins with the image and ends with the mean colour,
    insertion begins with the blurred image and ends with the image.

    Args:
        start: 3×H×W float32.
        finish: 3×H×W float32.
        rank: H×W int64, of `ranks`.
        counts: M int64: how many of the hottest places are taken from `finish`.

    Returns:
        M×3×H×W float32.
    """
    taken = rank < counts[:, None, None]
    return torch.where(taken[:, None], finish, start)


def blurred(x: Tensor) -> Tensor:
    """Blur images so far that next to nothing of their class is left.

    Petsiuk et al. 2018, section 4.2: insertion from a blurred image, since pixels on an empty
    canvas make edges of their own.

    Args:
        x: N×3×H×W float32.

    Returns:
        N×3×H×W float32.
    """
    deviation = BLUR * max(x.shape[2:])
    # The border is mirrored, and there is only so much of it.
    reach = min(round(_REACH * deviation), min(x.shape[2:]) - 1)
    side, deviations = 2 * reach + 1, [deviation, deviation]
    # One axis after the other: the same, with one row of the kernel in place of its square.
    softened: Tensor = gaussian_blur(gaussian_blur(x, [side, 1], deviations), [1, side], deviations)
    return softened


def area(curve: Tensor, counts: Tensor) -> Tensor:
    """Return the area under a curve of probabilities, by the trapezoidal rule.

    Petsiuk et al. 2018, section 4.2: the lower for deletion, and the higher for insertion, the
    better.

    Args:
        curve: N×M float32 probabilities.
        counts: M: how many places were changed, rising from 0 to all of them.

    Returns:
        N float32 in [0, 1].
    """
    return torch.trapezoid(curve, counts.to(curve) / counts[-1], dim=1)


def rank_correlation(maps: Tensor, others: Tensor) -> Tensor:
    """Return how alike two maps order their places: Spearman's rank correlation.

    The similarity of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: Pearson's
    correlation of the ranks, of which equal places share the mean.

    Args:
        maps: N×h×w float32.
        others: N×h×w float32.

    Returns:
        N float32 in [-1, 1]: 1 for the same order; 0 where a map is constant and orders nothing.
    """
    a, b = _centred_ranks(maps), _centred_ranks(others)
    lengths = a.norm(dim=1) * b.norm(dim=1)
    products = (a * b).sum(dim=1)
    return torch.where(lengths > 0, products / lengths, 0.0).float()


def _centred_ranks(maps: Tensor) -> Tensor:
    """Return N×P float64: each place's rank among P, as its distance from the mean rank."""
    flat = maps.flatten(1).contiguous()
    ordered = flat.sort(dim=1).values
    below = torch.searchsorted(ordered, flat)
    not_above = torch.searchsorted(ordered, flat, right=True)
    return (below + not_above - flat.shape[1]).double() / 2
