"""Guided Grad-CAM as an image: fine detail where the evidence for a class is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.overlay import to_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.geometry import Region

_BRIGHTEST: Final = 99.5
"""Percentile of what is not 0, by its amount, that gets the full range of colours: a few pixels
are far above all others."""
_EPSILON: Final = 1e-30


def guided_image(
    guided: NDArray[np.float32], width: int, height: int, region: Region
) -> NDArray[np.uint8]:
    """Show Guided Grad-CAM in colours around grey, in the size of the image.

    Args:
        guided: h×w×3 float32, of either sign, in the network's input's size; red, green and blue.
        width: The image's width in pixels.
        height: Its height in pixels.
        region: Which part of the image the network saw.

    Returns:
        height×width×3 uint8, BGR; grey stands for nothing.
    """
    amounts = np.abs(guided[guided != 0])
    scale = max(float(np.percentile(amounts, _BRIGHTEST)) if amounts.size else 0.0, _EPSILON)
    shown = np.ascontiguousarray((guided / scale).clip(-1.0, 1.0).transpose(2, 0, 1)[::-1])
    laid = [to_frame(channel, width, height, signed=True, region=region) for channel in shown]
    return np.asarray(np.rint(127.5 * (np.stack(laid, axis=2) + 1.0)), np.uint8)
