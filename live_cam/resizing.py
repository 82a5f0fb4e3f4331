"""Shrinking pictures without turning fine patterns into others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shrunk(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Average a picture over areas down to a size.

    Args:
        image: H×W×3 uint8.
        width: At most W, in pixels.
        height: At most H, in pixels.

    Returns:
        height×width×3 uint8; the image itself where it has this size.
    """
    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return image
    if columns >= 2 * width and rows >= 2 * height and columns % 2 == rows % 2 == 0:
        # Halving has a path of its own in OpenCV: the two steps take half the time of one, and
        # give the same up to rounding.
        half = columns // 2, rows // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
