"""Metrics of how faithful a map is: pure functions of maps, images and probabilities.

None of them tells whether the network is right; all tell whether the map shows what the network's
probability depends on.
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
"""Standard deviation of the blur that insertion starts from, relative to the input's longer side.
The authors' code uses a kernel of 11 pixels, which leaves a cat half of its probability."""
_REACH: Final = 3
"""Radius of the blur's kernel in standard deviations."""


def laid_over(maps: Tensor, height: int, width: int) -> Tensor:
    """Scale each map to [0, 1] and enlarge it to the size of an image.

    As torch-cam does: m ← (m - min m) / (max m - min m), then bilinear interpolation aligned to
    pixel centres.

    Args:
        maps: N×h×w float32, of any scale.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        N×height×width float32 in [0, 1]; all 0 for a constant map.
    """
    lowest = maps.amin(dim=(1, 2), keepdim=True)
    spread = maps.amax(dim=(1, 2), keepdim=True) - lowest
    unit = (maps - lowest) / (spread + _EPSILON)
    enlarged = functional.interpolate(
        unit[:, None], (height, width), mode="bilinear", align_corners=False
    )
    return enlarged[:, 0]


def masked(x: Tensor, kept: Tensor) -> Tensor:
    """Return the image multiplied by a mask: kept · x.

    Args:
        x: N×3×H×W float32, normalised: 0 is the mean colour of the training images.
        kept: H×W or N×H×W float32: 1 keeps a pixel, 0 replaces it by the mean colour.

    Returns:
        N×3×H×W float32.
    """
    return x * kept.unsqueeze(-3)


def drop(before: Tensor, after: Tensor) -> Tensor:
    """Return the relative drop in probability when only what the map highlights is kept.

    max(0, Y - O) / Y, where Y is the class's probability on the image and O on the image
    multiplied by the map; the mean over images is the Average Drop of Chattopadhay et al.,
    "Grad-CAM++", WACV 2018, section 4.1.

    Args:
        before: N float32 probabilities: Y.
        after: N float32 probabilities: O.

    Returns:
        N float32 in [0, 1]; lower is better.
    """
    return (before - after).relu() / (before + _EPSILON)


def increases(before: Tensor, after: Tensor) -> Tensor:
    """Return whether the probability rises when only what the map highlights is kept: Y < O.

    The share of images where it does is the Increase in Confidence of Chattopadhay et al. 2018,
    section 4.1; higher is better.

    Args:
        before: N float32 probabilities, as in `drop`.
        after: N float32 probabilities, as in `drop`.

    Returns:
        N bool.
    """
    return before < after


def ranks(maps: Tensor) -> Tensor:
    """Rank the pixels of each map, hottest first.

    Args:
        maps: N×H×W float32.

    Returns:
        N×H×W int64, from 0 to H·W - 1. Ties are ranked in reading order, as in torch-cam.
    """
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1).view_as(maps)


def step_counts(places: int, steps: int) -> list[int]:
    """Return how many pixels have been replaced after each step of a curve.

    Args:
        places: The number of pixels.
        steps: The number of steps that replace all of them; all steps but the last are equal.

    Returns:
        Rising counts from 0 to `places`: `steps` + 1 of them, or fewer if there are fewer pixels.
    """
    size = -(-places // steps)
    return [*range(0, places, size), places]


def changed(start: Tensor, finish: Tensor, rank: Tensor, counts: Tensor) -> Tensor:
    """Replace the hottest pixels of one image by those of another.

    One step of Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box
    Models", BMVC 2018, section 4.2: deletion goes from the image to the mean colour, insertion from
    the blurred image to the image.

    Args:
        start: 3×H×W float32.
        finish: 3×H×W float32.
        rank: H×W int64, from `ranks`.
        counts: M int64: how many of the hottest pixels come from `finish`.

    Returns:
        M×3×H×W float32.
    """
    taken = rank < counts[:, None, None]
    return torch.where(taken[:, None], finish, start)


def blurred(x: Tensor) -> Tensor:
    """Blur images until their class can hardly be recognised.

    Petsiuk et al. 2018, section 4.2: insertion starts from a blurred image, since pixels on an
    empty canvas create edges.

    Args:
        x: N×3×H×W float32.

    Returns:
        N×3×H×W float32.
    """
    deviation = BLUR * max(x.shape[2:])
    # The border is mirrored, which limits the radius.
    reach = min(round(_REACH * deviation), min(x.shape[2:]) - 1)
    side, deviations = 2 * reach + 1, [deviation, deviation]
    # One axis at a time: the same result from two one-dimensional kernels.
    softened: Tensor = gaussian_blur(gaussian_blur(x, [side, 1], deviations), [1, side], deviations)
    return softened


def area(curve: Tensor, counts: Tensor) -> Tensor:
    """Return the area under a curve of probabilities, by the trapezoidal rule.

    Petsiuk et al. 2018, section 4.2: lower is better for deletion, higher for insertion.

    Args:
        curve: N×M float32 probabilities.
        counts: M: how many pixels were replaced, rising from 0 to all of them.

    Returns:
        N float32 in [0, 1].
    """
    return torch.trapezoid(curve, counts.to(curve) / counts[-1], dim=1)


def rank_correlation(maps: Tensor, others: Tensor) -> Tensor:
    """Return how similarly two maps rank their pixels: Spearman's rank correlation.

    The similarity of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: Pearson's
    correlation of the ranks, where ties share their mean rank.

    Args:
        maps: N×h×w float32.
        others: N×h×w float32.

    Returns:
        N float32 in [-1, 1]: 1 for the same order, 0 if a map is constant.
    """
    a, b = _centred_ranks(maps), _centred_ranks(others)
    lengths = a.norm(dim=1) * b.norm(dim=1)
    products = (a * b).sum(dim=1)
    return torch.where(lengths > 0, products / lengths, 0.0).float()


def _centred_ranks(maps: Tensor) -> Tensor:
    """Return the rank of each of P pixels minus the mean rank, N×P float64."""
    flat = maps.flatten(1).contiguous()
    ordered = flat.sort(dim=1).values
    below = torch.searchsorted(ordered, flat)
    not_above = torch.searchsorted(ordered, flat, right=True)
    return (below + not_above - flat.shape[1]).double() / 2
