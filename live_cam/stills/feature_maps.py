"""Grad-CAM taken apart: each weighted feature map over the image, then their sum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from live_cam.frame import Frame
from live_cam.overlay.words import map_title
from live_cam.question import Question
from live_cam.resizing import shrunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explain.batch import BatchExplainer
    from live_cam.overlay import Overlay
    from live_cam.overlay.status import Status

_LONGEST_SIDE: Final = {"gif": 640, "mp4": 1280}
"""Pixels; GIF compresses poorly, so its images are smaller."""


class FeatureMaps:
    """The strongest feature maps of the target layer, to be drawn one after another."""

    def __init__(
        self,
        explainer: BatchExplainer,
        image: NDArray[np.uint8],
        class_index: int,
        *,
        count: int,
        order: str,
    ) -> None:
        """Compute the feature maps.

        Args:
            explainer: A loaded explainer.
            image: H×W×3, BGR.
            class_index: The class whose gradient weights the maps.
            count: The number of maps; a layer with fewer gives all of its own.
            order: One of `settings.MAP_ORDERS`.
        """
        question = Question((class_index,), feature_maps=count)
        (self._explanation,) = explainer.explain([image], question)
        self._image = image
        by_weight = order == "weight"
        self._maps = sorted(
            self._explanation.maps[1:],
            key=lambda heatmap: -(heatmap.weight or 0.0) if by_weight else heatmap.subject,
        )

    def __len__(self) -> int:
        """The number of images drawn: one per map, and one for the sum."""
        return len(self._maps) + 1

    def draw(self, overlay: Overlay, status: Status, form: str) -> Iterator[NDArray[np.uint8]]:
        """Draw the maps and their sum.

        Args:
            overlay: The overlay to draw with.
            status: How to draw.
            form: One of `settings.ANIMATIONS`; it limits the size.

        Yields:
            H×W×3 uint8, BGR.
        """
        height, width = self._image.shape[:2]
        factor = min(1.0, _LONGEST_SIDE[form] / max(height, width))
        small = shrunk(self._image, max(1, round(factor * width)), max(1, round(factor * height)))
        frame = Frame(small, 0, 0.0)
        for heatmap in self._maps:
            captioned = replace(status, caption=f"feature map {map_title(heatmap)}")
            yield overlay.draw(frame, replace(self._explanation, maps=(heatmap,)), captioned).image
        captioned = replace(status, caption="sum of all feature maps: Grad-CAM")
        whole = replace(self._explanation, maps=self._explanation.maps[:1])
        yield overlay.draw(frame, whole, captioned).image
