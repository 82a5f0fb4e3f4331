"""Drawing: the heatmap, what the network says, and how the run is doing, on one picture.

`heatmap` colours and blends the map, `layout` decides where each card lies, `cards` what each
looks like; `paint` and `text` are their brush and pen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.opencv import cv2
from live_cam.overlay.heatmap import (
    blend,
    blend_heatmap,
    check_colormap,
    check_image,
    colour_map,
    peak,
    to_frame,
)
from live_cam.overlay.layout import lay_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.capture.source import Frame
    from live_cam.explanation import Explanation
    from live_cam.status import Status

__all__ = ["Overlay", "blend_heatmap", "peak", "to_frame"]


class Overlay:
    """Draws finished pictures.

    Between two explanations only the picture changes, so the colours of the latest one are kept.

    Args:
        colormap: One of `settings.COLORMAPS`.

    Raises:
        UsageError: There is no such colormap.
    """

    def __init__(self, colormap: str = "jet") -> None:
        check_colormap(colormap)
        self._colormap = colormap
        self._explanation: Explanation | None = None
        self._colours: NDArray[np.uint8] | None = None

    def draw(
        self, frame: Frame, explanation: Explanation | None, status: Status
    ) -> NDArray[np.uint8]:
        """Draw one picture.

        Args:
            frame: The picture to draw on. Left as it is.
            explanation: What the network says about it or a little earlier one; None: nothing
                yet.
            status: What is said about the run; its `alpha` and `mirror` apply to the picture.

        Returns:
            A new H×W×3 uint8 picture of the frame's size, BGR.

        Raises:
            ValueError: The frame's image or the heatmap is not of the kind agreed on.
            UsageError: `status.alpha` is out of range.
        """
        check_image(frame.image)
        picture = self._blended(frame.image, explanation, status.alpha)
        if status.mirror:
            picture = _flipped(picture)
        height, width = picture.shape[:2]
        for card in lay_out(width, height, explanation, status):
            card.sprite.paste(picture, card.rectangle.x, card.rectangle.y)
        return picture

    def _blended(
        self, image: NDArray[np.uint8], explanation: Explanation | None, alpha: float
    ) -> NDArray[np.uint8]:
        if explanation is None:
            self._explanation = self._colours = None
            return np.array(image, order="C")
        colours = self._colours
        # The explanation itself is kept and compared: the id of one that is gone may be reused.
        if colours is None or explanation is not self._explanation or colours.shape != image.shape:
            height, width = image.shape[:2]
            colours = colour_map(explanation.heatmap, width, height, self._colormap)
            self._explanation, self._colours = explanation, colours
        return blend(image, colours, alpha)


def _flipped(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.flip(picture, 1), np.uint8)
