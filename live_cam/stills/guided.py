"""Guided Grad-CAM as an image: fine detail where the evidence for a class lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.overlay import to_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.geometry import Region

_BRIGHTEST: Final = 99.5
"""Percentile of the nonzero magnitudes that is mapped to full colour; a few pixels far exceed the
rest."""
_EPSILON: Final = 1e-30


def guided_image(
    guided: NDArray[np.float32], width: int, height: int, region: Region
) -> NDArray[np.uint8]:
    """Render Guided Grad-CAM as colours around grey, at the image's size.

    Args:
        guided: h×w×3 float32, RGB, signed, at the size of the network's input.
        width: The image's width in pixels.
        height: The image's height in pixels.
        region: The part of the image that the network saw.

    Returns:
        height×width×3 uint8, BGR; mid-grey is zero.
    """
    magnitudes = np.abs(guided[guided != 0])
    scale = max(float(np.percentile(magnitudes, _BRIGHTEST)) if magnitudes.size else 0.0, _EPSILON)
    bgr = np.ascontiguousarray((guided / scale).clip(-1.0, 1.0).transpose(2, 0, 1)[::-1])
    resized = [to_frame(channel, width, height, signed=True, region=region) for channel in bgr]
    return np.asarray(np.rint(127.5 * (np.stack(resized, axis=2) + 1.0)), np.uint8)
