"""From a heatmap of a few cells to an image's pixels: enlarging, its peak, the evidence box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.resizing import enlarged, enlargement
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COARSE_STEPS = 8
"""Samples per cell and axis in the first search of `peak`."""
_BOX_THRESHOLD = 0.15
"""Of the map's maximum (Selvaraju et al. 2017, section 4.1)."""
_BOX_SIDE = 240
"""Pixels along the longer side of the map in which the box is searched."""


def to_frame(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    *,
    signed: bool = False,
    region: Region = WHOLE,
) -> NDArray[np.float32]:
    """Enlarge a heatmap smoothly to a frame's size, with pixel centres aligned.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        signed: Whether it runs from -1 to 1.
        region: Which part of the frame it covers.

    Returns:
        height×width float32 in the same range, by bicubic interpolation with overshoot clipped; 0
        outside the region.

    Raises:
        ValueError: The heatmap has another shape or type, or the size is below 1.
    """
    check_heatmap(heatmap)
    check_size(width, height)
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
    """Find the pixel of the drawn image where the heatmap is highest, without drawing it.

    If the enlarged map overshoots 1 and is clipped to a plateau, the peak is the highest value
    before clipping. The peak of a flat map is its first pixel.

    Args:
        heatmap: h×w float32 in [0, 1].
        width: The frame's width in pixels, at least 1.
        height: The frame's height in pixels, at least 1.
        mirror: Whether the image is drawn mirrored.
        region: Which part of the frame, unmirrored, the heatmap covers.

    Returns:
        Column and row in the image as drawn, both from 0, in pixels.

    Raises:
        ValueError: The heatmap has another shape or type, or the size is below 1.
    """
    check_heatmap(heatmap)
    check_size(width, height)
    # First on a coarse grid of pixels, then on every pixel around its maximum.
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


def evidence_box(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    region: Region = WHOLE,
    seen: Region = WHOLE,
) -> Rectangle | None:
    """Return the box around the largest region above 15 % of the map's maximum.

    Selvaraju et al. 2017, section 4.1 (weakly supervised localisation).

    Args:
        heatmap: h×w float32. Values below 0 are ignored.
        width: The frame's width in pixels.
        height: Its height in pixels.
        region: Which part of the frame the heatmap covers.
        seen: Which part of it the network received. There is no evidence outside it.

    Returns:
        The box in pixels of the frame, or None if no value is above 0.
    """
    shrink = min(1.0, _BOX_SIDE / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    left, top, inner_width, inner_height = seen.pixels(*size)
    part = slice(top, top + inner_height), slice(left, left + inner_width)
    laid = np.zeros(size[::-1], np.float32)
    laid[part] = to_frame(heatmap, *size, region=region)[part]
    if laid.max() <= 0:
        return None
    above = (laid >= _BOX_THRESHOLD * laid.max()).astype(np.uint8)
    _, _, regions, _ = cv2.connectedComponentsWithStats(above)
    x, y, across, down, _ = regions[1 + int(regions[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    columns, rows = width / size[0], height / size[1]
    return Rectangle(
        round(x * columns), round(y * rows), round(across * columns), round(down * rows)
    )


def check_image(image: NDArray[np.uint8]) -> None:
    """Reject an array that is not an image.

    Args:
        image: Expected: H×W×3 uint8, BGR, of at least one pixel.

    Raises:
        ValueError: It is something else; the message says what.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected an image of H×W×3 uint8 (BGR), got {_described(image)}")


def check_heatmap(heatmap: NDArray[np.float32]) -> None:
    """Reject an array that is not a heatmap.

    Args:
        heatmap: Expected: h×w float32 of at least one cell, all finite.

    Raises:
        ValueError: It is something else; the message says what.
    """
    if heatmap.dtype != np.float32 or heatmap.ndim != 2 or heatmap.size == 0:
        raise ValueError(f"expected a heatmap of h×w float32 in [0, 1], got {_described(heatmap)}")
    if not np.isfinite(heatmap).all():
        raise ValueError("expected a heatmap of finite values in [0, 1], got NaN or infinity")


def check_size(width: int, height: int) -> None:
    """Reject a frame's size below one pixel.

    Args:
        width: In pixels.
        height: In pixels.

    Raises:
        ValueError: A side is less than 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"expected a frame of at least 1×1 pixels, got {width}×{height}")


def _described(array: NDArray[np.generic]) -> str:
    return f"{'×'.join(map(str, array.shape)) or 'a scalar of'} {array.dtype}"


def _argmax(values: NDArray[np.float32]) -> tuple[int, int]:
    row, column = divmod(int(values.argmax()), values.shape[1])
    return row, column
