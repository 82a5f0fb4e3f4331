"""The colours of a heatmap, and blending them over an image."""

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
"""Exponents of alpha: for a signed map's colours where it is strongest, and where it is 0."""


def blend_heatmap(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.float32],
    alpha: float = Look.alpha,
    colormap: Colormap = Look.colormap,
) -> NDArray[np.uint8]:
    """Lay a heatmap's colours over an image: `image * (1 - alpha) + colours * alpha`.

    Args:
        image: H×W×3 uint8, BGR. It is not changed.
        heatmap: h×w float32 in [0, 1]; enlarged to the image.
        alpha: Weight of the colours, in [0, 1].
        colormap: Its name.

    Returns:
        A new H×W×3 uint8 image, BGR.

    Raises:
        ValueError: The image or the heatmap has another shape or type.
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
    """Enlarge a heatmap to a frame's size, and colour it.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        colormap: Its name.
        region: Which part of the frame the heatmap covers.

    Returns:
        height×width×3 uint8, BGR.

    Raises:
        ValueError: The heatmap has another shape or type, or the size is below 1.
    """
    check_heatmap(heatmap)
    check_size(width, height)
    size = _coarse(heatmap, width, height)
    # Outside its region the heatmap's border is continued, so no colour bleeds in.
    shown = enlarged(heatmap, *size, region).clip(0.0, 1.0)
    levels = cv2.convertScaleAbs(shown, alpha=255.0)
    colours = cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    return _resized(np.asarray(colours, np.uint8), width, height)


def blend(image: NDArray[np.uint8], colours: NDArray[np.uint8], alpha: float) -> NDArray[np.uint8]:
    """Mix two images: `image * (1 - alpha) + colours * alpha`, rounded.

    Args:
        image: H×W×3 uint8. It is not changed.
        colours: H×W×3 uint8.
        alpha: Weight of the colours, in [0, 1].

    Returns:
        A new H×W×3 uint8 image.
    """
    return np.asarray(cv2.addWeighted(image, 1.0 - alpha, colours, alpha, 0.0), np.uint8)


def signed_layer(
    heatmap: NDArray[np.float32], width: int, height: int, alpha: float, region: Region = WHOLE
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Prepare a signed heatmap for `lay`.

    Without evidence its colour is grey, which would look like fog over the image. There it is
    nearly transparent, unless alpha is 1.

    Args:
        heatmap: h×w float32 from -1 (blue) through 0 (grey) to 1 (red).
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        alpha: Weight of a heatmap's colours, in [0, 1]. Strong evidence is weighted more, since
            most of the image stays bare.
        region: Which part of the frame the heatmap covers.

    Returns:
        The colours, multiplied by their weight, and how much of the image shows through (0 to
        255), both height×width×3 uint8.

    Raises:
        ValueError: The heatmap has another shape or type, or the size is below 1.
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
    """Blend a layer over an image: `image * through / 255 + colours`.

    Args:
        image: H×W×3 uint8. It is not changed.
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
    """Return the size at which a map is coloured.

    Maps are smooth enough to interpolate colours from there, in a third of the time that colouring
    every pixel takes.
    """
    scale = min(1.0, max(_SMOOTH_SIDE, *heatmap.shape) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@lru_cache(maxsize=1)
def _diverging() -> NDArray[np.uint8]:
    """Return 256×1×3 colours from blue through light grey to red.

    The ends and the middle are from Moreland, "Diverging Color Maps for Scientific Visualization",
    ISVC 2009; colours between are interpolated in BGR.
    """
    blue, grey, red = (192, 76, 59), (221, 221, 221), (38, 4, 180)
    share = np.linspace(-1, 1, 256)
    mixed = [np.interp(share, (-1, 0, 1), levels) for levels in zip(blue, grey, red, strict=True)]
    return np.asarray(np.stack(mixed, axis=1).round()[:, None], np.uint8)
