"""Grad-CAM taken apart: each feature map, weighed, over the image, and at last their sum."""

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
"""Pixels: a GIF is not compressed by much."""


class FeatureMaps:
    """The strongest feature maps of the target layer, ready to be drawn one after another."""

    def __init__(
        self,
        explainer: BatchExplainer,
        image: NDArray[np.uint8],
        class_index: int,
        *,
        count: int,
        order: str,
    ) -> None:
        """Ask for them.

        Args:
            explainer: By which network; loaded.
            image: H×W×3, BGR.
            class_index: By whose gradient they are weighed.
            count: How many; fewer where the layer has fewer.
            order: One of `settings.MAP_ORDERS`.
        """
        question = Question((class_index,), feature_maps=count)
        (self._said,) = explainer.explain([image], question)
        self._image = image
        by_weight = order == "weight"
        self._maps = sorted(
            self._said.maps[1:],
            key=lambda each: -(each.weight or 0.0) if by_weight else each.subject,
        )

    def __len__(self) -> int:
        """How many images are drawn: one for each map, and one for their sum."""
        return len(self._maps) + 1

    def draw(self, overlay: Overlay, status: Status, form: str) -> Iterator[NDArray[np.uint8]]:
        """Draw them.

        Args:
            overlay: Draws.
            status: How.
            form: One of `settings.ANIMATIONS`, which says how large.

        Yields:
            H×W×3 uint8, BGR.
        """
        height, width = self._image.shape[:2]
        factor = min(1.0, _LONGEST_SIDE[form] / max(height, width))
        small = shrunk(self._image, max(1, round(factor * width)), max(1, round(factor * height)))
        frame = Frame(small, 0, 0.0)
        for each in self._maps:
            captioned = replace(status, caption=f"feature map {map_title(each)}")
            yield overlay.draw(frame, replace(self._said, maps=(each,)), captioned).image
        captioned = replace(status, caption="the sum of all feature maps: Grad-CAM")
        whole = replace(self._said, maps=self._said.maps[:1])
        yield overlay.draw(frame, whole, captioned).image
