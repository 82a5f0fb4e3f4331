"""From a heatmap of a few cells to colours on a picture."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from live_cam.errors import UsageError
from live_cam.geometry import WHOLE, Region
from live_cam.opencv import cv2
from live_cam.resizing import enlarged, enlargement
from live_cam.settings import ALPHA, COLORMAPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMOOTH_SIDE = 480
"""Pixels along the longer side to which a heatmap is enlarged before it is coloured."""
_COARSE_STEPS = 8
"""Samples of each cell, along each axis, among which `peak` looks for the maximum first."""


def to_frame(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    *,
    signed: bool = False,
    region: Region = WHOLE,
) -> NDArray[np.float32]:
    """Enlarge a heatmap smoothly to a frame's size, aligned to the pixels' centres.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        signed: Whether it runs from -1 to 1.
        region: Which part of the frame it covers.

    Returns:
        height×width float32 in the same range: bicubic, what overshoots is clipped; 0 outside the
        region.

    Raises:
        ValueError: The heatmap or the size is not of this kind.
    """
    check_heatmap(heatmap)
    _check_size(width, height)
    laid = enlarged(heatmap, width, height, region)
    if region != WHOLE:
        x, y, across, down = region.pixels(width, height)
        covered = np.zeros_like(laid)
        covered[y : y + down, x : x + across] = laid[y : y + down, x : x + across]
        laid = covered
    return np.clip(laid, -1.0 if signed else 0.0, 1.0, out=laid)


def peak(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    *,
    mirror: bool = False,
    region: Region = WHOLE,
) -> tuple[int, int]:
    """Find where in the drawn picture the heatmap is highest, without drawing it.

    Where the enlarged map overshoots 1 and is clipped to a plateau, this is the place of the
    highest value before clipping. The peak of a flat map is its first pixel.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        mirror: Whether the picture is drawn mirrored.
        region: Which part of the frame, unmirrored, the heatmap covers.

    Returns:
        The column, from the left of the picture as drawn, and the row, both from 0, in pixels.

    Raises:
        ValueError: The heatmap or the size is not of this kind.
    """
    check_heatmap(heatmap)
    _check_size(width, height)
    # First a coarse grid of pixels, then every pixel around its maximum.
    covered = region.pixels(width, height)
    down = enlargement(heatmap.shape[0], height, region.y, region.height)
    down = down[covered.y : covered.y + covered.height]
    across = enlargement(heatmap.shape[1], width, region.x, region.width)
    across = across[covered.x : covered.x + covered.width]
    row_step = max(1, height // (_COARSE_STEPS * heatmap.shape[0]))
    column_step = max(1, width // (_COARSE_STEPS * heatmap.shape[1]))
    row, column = _argmax(down[::row_step] @ heatmap @ across[::column_step].T)
    top = max(0, (row - 1) * row_step)
    left = max(0, (column - 1) * column_step)
    rows = down[top : (row + 1) * row_step + 1]
    columns = across[left : (column + 1) * column_step + 1]
    y, x = _argmax(rows @ heatmap @ columns.T)
    x, y = covered.x + left + x, covered.y + top + y
    return (width - 1 - x if mirror else x), y


def blend_heatmap(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.float32],
    alpha: float = 0.45,
    colormap: str = "jet",
) -> NDArray[np.uint8]:
    """Lay a heatmap's colours over a picture: `image * (1 - alpha) + colours * alpha`.

    Args:
        image: H×W×3 uint8, BGR. Left as it is.
        heatmap: h×w float32 in [0, 1]; enlarged to the picture.
        alpha: Weight of the colours, in [0, 1].
        colormap: One of `settings.COLORMAPS`.

    Returns:
        A new H×W×3 uint8 picture, BGR.

    Raises:
        ValueError: The picture or the heatmap is not of this kind.
        UsageError: `alpha` is out of range, or there is no such colormap.
    """
    check_image(image)
    colours = colour_map(heatmap, image.shape[1], image.shape[0], colormap)
    return blend(image, colours, alpha)


def colour_map(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    colormap: str,
    *,
    signed: bool = False,
    region: Region = WHOLE,
) -> NDArray[np.uint8]:
    """Enlarge a heatmap to a frame's size and give every pixel its colour.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        colormap: One of `settings.COLORMAPS`.
        signed: Whether the heatmap runs from -1 (blue) by 0 (grey) to 1 (red), in which case
            these colours take the colormap's place.
        region: Which part of the frame the heatmap covers.

    Returns:
        height×width×3 uint8, BGR.

    Raises:
        ValueError: The heatmap or the size is not of this kind.
        UsageError: There is no such colormap.
    """
    check_colormap(colormap)
    # In between, a map is so smooth that colours can be mixed: a third of the time of a lookup
    # for every pixel.
    scale = min(1.0, max(_SMOOTH_SIDE, *heatmap.shape) / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    check_heatmap(heatmap)
    _check_size(width, height)
    # Beyond its region the heatmap's border goes on, so that no colour bleeds in from outside.
    shown = enlarged(heatmap, *size, region).clip(-1.0 if signed else 0.0, 1.0)
    if signed:
        levels = cv2.convertScaleAbs(shown + 1.0, alpha=127.5)
        colours = cv2.applyColorMap(levels, _diverging())
    else:
        levels = cv2.convertScaleAbs(shown, alpha=255.0)
        colours = cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    if size != (width, height):
        colours = cv2.resize(colours, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colours, np.uint8)


def blend(image: NDArray[np.uint8], colours: NDArray[np.uint8], alpha: float) -> NDArray[np.uint8]:
    """Mix two pictures: `image * (1 - alpha) + colours * alpha`, rounded.

    Args:
        image: H×W×3 uint8. Left as it is.
        colours: H×W×3 uint8.
        alpha: Weight of the colours, in [0, 1].

    Returns:
        A new H×W×3 uint8 picture.

    Raises:
        UsageError: `alpha` is out of range.
    """
    if not ALPHA.low <= alpha <= ALPHA.high:
        raise UsageError(
            f"The heatmap's alpha must lie from {ALPHA.low:g} to {ALPHA.high:g}; got {alpha}."
        )
    return np.asarray(cv2.addWeighted(image, 1.0 - alpha, colours, alpha, 0.0), np.uint8)


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what is not a picture.

    Args:
        image: Anything array-like; expected is H×W×3 uint8, BGR, of at least one pixel.

    Raises:
        ValueError: It is something else; the message says what.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected a picture of H×W×3 uint8 (BGR), got {_described(image)}")


def check_heatmap(heatmap: NDArray[np.float32]) -> None:
    """Refuse what is not a heatmap.

    Args:
        heatmap: Anything array-like; expected is h×w float32 of at least one cell, all finite.

    Raises:
        ValueError: It is something else; the message says what.
    """
    if heatmap.dtype != np.float32 or heatmap.ndim != 2 or heatmap.size == 0:
        raise ValueError(f"expected a heatmap of h×w float32 in [0, 1], got {_described(heatmap)}")
    if not np.isfinite(heatmap).all():
        raise ValueError("expected a heatmap of finite values in [0, 1], got NaN or infinity")


def check_colormap(colormap: str) -> None:
    """Refuse a colormap that is none of `settings.COLORMAPS`.

    Args:
        colormap: Its name.

    Raises:
        UsageError: There is no such colormap; the message lists those that there are.
    """
    if colormap not in COLORMAPS:
        raise UsageError(
            f"There is no colormap {colormap!r}; choose one of {', '.join(COLORMAPS)}."
        )


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ValueError(f"expected a frame of at least 1×1 pixels, got {width}×{height}")


def _described(array: NDArray[np.generic]) -> str:
    return f"{'×'.join(map(str, array.shape)) or 'a scalar of'} {array.dtype}"


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


def _argmax(values: NDArray[np.float32]) -> tuple[int, int]:
    row, column = divmod(int(values.argmax()), values.shape[1])
    return row, column
