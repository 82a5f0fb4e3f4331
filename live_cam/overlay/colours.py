"""The colours of a heatmap, and how they are laid over an image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from live_cam.geometry import WHOLE, Region
from live_cam.look import Look
from live_cam.overlay.heatmap import check_heatmap, check_image, check_size
from live_cam.resizing import enlarged
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.look import Colormap

_SMOOTH_SIDE = 480
"""Pixels along the longer side to which a heatmap is enlarged before it is coloured."""
_SIGNED_POWER = 0.5, 3.5
"""Of alpha: the weight of a signed map's colours where it says most, and where it says nothing."""


def blend_heatmap(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.float32],
    alpha: float = Look.alpha,
    colormap: Colormap = Look.colormap,
) -> NDArray[np.uint8]:
    """Lay a heatmap's colours over an image: `image * (1 - alpha) + colours * alpha`.

    Args:
        image: H×W×3 uint8, BGR. Left as it is.
        heatmap: h×w float32 in [0, 1]; enlarged to the image.
        alpha: Weight of the colours, in [0, 1].
        colormap: Its name.

    Returns:
        A new H×W×3 uint8 image, BGR.

    Raises:
        ValueError: The image or the heatmap is not of this kind.
        UsageError: `alpha` is out of range, or there is no such colormap.
    """
    check_image(image)
    look = Look(alpha=alpha, colormap=colormap)
    colours = colour_map(heatmap, image.shape[1], image.shape[0], look.colormap)
    return blend(image, colours, look.alpha)


def colour_map(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    colormap: Colormap,
    region: Region = WHOLE,
) -> NDArray[np.uint8]:
    """Enlarge a heatmap to a frame's size and give every pixel its colour.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        colormap: Its name.
        region: Which part of the frame the heatmap covers.

    Returns:
        height×width×3 uint8, BGR.

    Raises:
        ValueError: The heatmap or the size is not of this kind.
    """
    check_heatmap(heatmap)
    check_size(width, height)
    size = _coarse(heatmap, width, height)
    # Beyond its region the heatmap's border goes on, so that no colour bleeds in from outside.
    shown = enlarged(heatmap, *size, region).clip(0.0, 1.0)
    levels = cv2.convertScaleAbs(shown, alpha=255.0)
    colours = cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    return _resized(np.asarray(colours, np.uint8), width, height)


def blend(image: NDArray[np.uint8], colours: NDArray[np.uint8], alpha: float) -> NDArray[np.uint8]:
    """Mix two images: `image * (1 - alpha) + colours * alpha`, rounded.

    Args:
        image: H×W×3 uint8. Left as it is.
        colours: H×W×3 uint8.
        alpha: Weight of the colours, in [0, 1].

    Returns:
        A new H×W×3 uint8 image.
    """
    return np.asarray(cv2.addWeighted(image, 1.0 - alpha, colours, alpha, 0.0), np.uint8)


def signed_layer(
    heatmap: NDArray[np.float32], width: int, height: int, alpha: float, region: Region = WHOLE
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make a signed heatmap ready to be laid over a frame, by `lay`.

    Where it says nothing its colour is grey, which laid over the image would be fog: there it
    is nearly transparent, unless its colours are wanted alone.

    Args:
        heatmap: h×w float32 from -1 (blue) by 0 (grey) to 1 (red).
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        alpha: Weight of a heatmap's colours, in [0, 1]. Since most of the image stays bare, what
            is coloured is more so.
        region: Which part of the frame the heatmap covers.

    Returns:
        The colours, multiplied by their weight, and how much of the image shows through, 0 to
        255: both height×width×3 uint8.

    Raises:
        ValueError: The heatmap or the size is not of this kind.
    """
    check_heatmap(heatmap)
    check_size(width, height)
    size = _coarse(heatmap, width, height)
    shown = enlarged(heatmap, *size, region).clip(-1.0, 1.0)
    colours = cv2.applyColorMap(cv2.convertScaleAbs(shown + 1.0, alpha=127.5), _diverging())
    most, nothing = _SIGNED_POWER
    weights = np.power(np.float32(alpha), nothing + (most - nothing) * np.sqrt(np.abs(shown)))
    weighed = np.rint(colours * weights[..., None]).astype(np.uint8)
    through = np.repeat(255 - np.rint(255 * weights).astype(np.uint8)[..., None], 3, axis=2)
    return _resized(weighed, width, height), _resized(through, width, height)


def lay(
    image: NDArray[np.uint8], colours: NDArray[np.uint8], through: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Lay a layer over an image: `image * through / 255 + colours`.

    Args:
        image: H×W×3 uint8. Left as it is.
        colours: H×W×3 uint8, multiplied by their weight.
        through: H×W×3 uint8: how much of the image shows through.

    Returns:
        A new H×W×3 uint8 image.
    """
    return np.asarray(cv2.add(cv2.multiply(image, through, scale=1 / 255), colours), np.uint8)


def _resized(drawn: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if drawn.shape[:2] == (height, width):
        return drawn
    resized = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _coarse(heatmap: NDArray[np.float32], width: int, height: int) -> tuple[int, int]:
    """Return the size in which a map is looked up.

    In between, it is so smooth that colours can be mixed: a third of the time of a lookup for
    every pixel.
    """
    scale = min(1.0, max(_SMOOTH_SIDE, *heatmap.shape) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@lru_cache(maxsize=1)
def _diverging() -> NDArray[np.uint8]:
    """Return 256×1×3 colours from blue by light grey to red.

    The ends and the middle are those of Moreland, "Diverging Color Maps for Scientific
    Visualization", ISVC 2009; in between they are mixed in BGR.
    """
    blue, grey, red = (192, 76, 59), (221, 221, 221), (38, 4, 180)
    share = np.linspace(-1, 1, 256)
    mixed = [np.interp(share, (-1, 0, 1), levels) for levels in zip(blue, grey, red, strict=True)]
    return np.asarray(np.stack(mixed, axis=1).round()[:, None], np.uint8)
