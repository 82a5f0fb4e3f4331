"""The maps of several target layers as one: coarse and fine evidence together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_EPSILON: Final = 1e-30


def averaged(maps: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Average the maps of several layers with equal weights.

    As pytorch-grad-cam aggregates them: each map is scaled to [0, 1] and enlarged bilinearly, then
    their mean is taken. (pytorch-grad-cam adds 1e-7 to the divisor, which dims maps as weak as
    that, and scales the mean to [0, 1] again.)

    Args:
        maps: One N×h×w float32 per layer, at least 0, of any size.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        N×height×width float32 in [0, 1]. An empty map adds nothing.
    """
    size = height, width
    enlarged = [
        interpolate(_scaled(cam)[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        for cam in maps
    ]
    return torch.stack(enlarged).mean(dim=0)


def _scaled(maps: Tensor) -> Tensor:
    above = maps - maps.amin(dim=(1, 2), keepdim=True)
    return above / above.amax(dim=(1, 2), keepdim=True).clamp_min(_EPSILON)
