"""Change detection: a frame that shows nothing new need not be explained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.frame import Frame

_BLOCK: Final = 8
"""Side of a block in thumbnail pixels: 64 pixels of a frame 1280 wide."""
_BLOCK_CHANGE: Final = 1.75
"""Grey levels by which a block's mean may change. Measured on photos with noise of 5 levels a
pixel, compressed as JPEG like a camera's: at most 1.75 at 640×480, where a block averages 1000
pixels, and 0.75 at 1280×720."""
_PIXEL_CHANGE: Final = 18
"""Grey levels by which a thumbnail pixel may change: motion inside a block can leave its mean as it
was. Measured the same way: at most 17 at 640×480 and 7 at 1280×720."""


class ChangeDetector:
    """Compares frames with the last explained one, so that slow changes add up."""

    def __init__(self) -> None:
        self._reference: NDArray[np.uint8] | None = None

    def set_reference(self, frame: Frame) -> None:
        """Compare later frames with this one."""
        self._reference = frame.thumbnail

    def unchanged(self, frame: Frame) -> bool:
        """Whether a frame differs from the reference by no more than noise."""
        reference = self._reference
        return reference is not None and same_image(reference, frame.thumbnail)


def same_image(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two thumbnails differ by no more than a camera's noise.

    Args:
        first: h×w×3 uint8.
        second: The other one. A different size counts as a different image.
    """
    if first.shape != second.shape:
        return False
    if cv2.absdiff(first, second).max() > _PIXEL_CHANGE:
        return False
    return bool(np.abs(_block_means(first) - _block_means(second)).max() <= _BLOCK_CHANGE)


def _block_means(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = thumbnail.shape[:2]
    size = max(1, width // _BLOCK), max(1, height // _BLOCK)
    # As floats: a mean rounded to whole levels would hide a change or double it.
    means = cv2.resize(thumbnail.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32)
