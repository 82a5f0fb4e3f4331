"""Shrinking images without aliasing, and enlarging heatmaps to the size of an image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from live_cam.geometry import WHOLE, Region
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARPNESS = -0.75
"""Parameter a of the cubic kernel (Keys 1981, equation 11), with OpenCV's value."""


def shrunk(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Shrink an image by averaging over areas.

    Args:
        image: H×W×3 uint8.
        width: New width in pixels, at most W.
        height: New height in pixels, at most H.

    Returns:
        height×width×3 uint8; the image itself if it already has this size.
    """
    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return image
    if columns >= 2 * width and rows >= 2 * height and columns % 2 == rows % 2 == 0:
        # OpenCV has a fast path for halving: the two steps take half the time of a single one, with
        # the same result up to rounding.
        half = columns // 2, rows // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(
    heatmap: NDArray[np.float32], width: int, height: int, region: Region = WHOLE
) -> NDArray[np.float32]:
    """Enlarge a heatmap to the size of an image: bicubic, with pixel centres aligned.

    Args:
        heatmap: h×w float32.
        width: The image's width in pixels, at least 1.
        height: Its height in pixels, at least 1.
        region: The part of the image that the heatmap covers.

    Returns:
        height×width float32, which may overshoot the heatmap's range. Outside the region the
        heatmap's border values continue.
    """
    if region == WHOLE:
        resized = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(resized, np.float32)
    down = enlargement(heatmap.shape[0], height, region.y, region.height)
    across = enlargement(heatmap.shape[1], width, region.x, region.width)
    return np.asarray(down @ heatmap @ across.T, np.float32)


@lru_cache(maxsize=32)
def enlargement(
    cells: int, pixels: int, start: float = 0.0, size: float = 1.0
) -> NDArray[np.float32]:
    """Return the matrix that enlarges a heatmap along one axis, as `enlarged` does.

    Bicubic enlargement is linear along each axis, so any grid of its pixels is a product of three
    small matrices.

    Args:
        cells: Number of cells in the heatmap along the axis.
        pixels: Number of pixels in the image.
        start: Start of the heatmap, as a share of the image.
        size: Size of the heatmap, as a share of the image.

    Returns:
        pixels×cells float32. Beyond the heatmap its border values continue.
    """
    share = ((np.arange(pixels) + 0.5) / pixels - start) / size
    position = np.clip(share * cells - 0.5, -1, cells)
    before = np.floor(position)
    matrix = np.zeros((pixels, cells))
    for tap in range(-1, 3):
        cell = before + tap
        weight = _cubic(np.abs(position - cell))
        clamped = np.clip(cell, 0, cells - 1).astype(int)
        np.add.at(matrix, (np.arange(pixels), clamped), weight)
    return matrix.astype(np.float32)


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of a cell at a distance of at most 2 cells (Keys 1981, equation 15)."""
    a = _SHARPNESS
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, far)
