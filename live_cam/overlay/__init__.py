"""Drawing: the heatmap, what the network says, and how the run is doing, on one image.

`heatmap` enlarges the map, `colours` colours and blends it, `views` are the ways to look at it,
composed of `panes`; `layout` decides where each card lies, `cards` and `key_card` what each looks
like, `words` what stands on it; `paint` and `text` are their brush and pen, `theme` their colours.

Called as a function, `live_cam.overlay(image, heatmap)` lays any map over any image (see
`live_cam.explain.front`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.overlay.colours import blend_heatmap, check_alpha, check_colormap
from live_cam.overlay.heatmap import check_image, peak, to_frame
from live_cam.overlay.layout import lay_out
from live_cam.overlay.panes import Painter
from live_cam.overlay.views import VIEWS, Scene
from live_cam.runtime.callable_package import make_callable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.geometry import Rectangle
    from live_cam.overlay.status import Status

__all__ = ["Overlay", "blend_heatmap", "peak", "to_frame"]

make_callable(__name__, "live_cam.explain.front")


class Overlay:
    """Draws finished images.

    Between two explanations only the image changes, so the colours of the latest one are kept.

    Attributes:
        panes: Where single feature maps lie in the image drawn last, the strongest first.

    Args:
        colormap: One of `settings.COLORMAPS`.

    Raises:
        UsageError: There is no such colormap.
    """

    def __init__(self, colormap: str = "jet") -> None:
        check_colormap(colormap)
        self._painter = Painter(colormap)
        self.panes: tuple[Rectangle, ...] = ()

    def draw(
        self, frame: Frame, explanation: Explanation | None, status: Status
    ) -> NDArray[np.uint8]:
        """Draw one image.

        Args:
            frame: The image to draw on. Left as it is.
            explanation: What the network says about it or a little earlier one; None: nothing
                yet.
            status: What is said about the run; its `alpha`, `mirror` and `theme` apply to the
                image.

        Returns:
            A new H×W×3 uint8 image of the frame's size, BGR.

        Raises:
            ValueError: The frame's image or the heatmap is not of the kind agreed on.
            UsageError: `status.alpha` is out of range.
        """
        check_image(frame.image)
        check_alpha(status.alpha)
        height, width = frame.image.shape[:2]
        placed = lay_out(width, height, explanation, status)
        bars = [card.rectangle.y for card in placed if card.name == "status"]
        bottom = min(bars, default=height)
        scene = Scene(frame.image, explanation, status, bottom, self._painter)
        drawn = VIEWS[status.view](scene)
        self.panes = tuple(scene.places)
        self._painter.forget_unused()
        for card in placed:
            card.sprite.paste(drawn, card.rectangle.x, card.rectangle.y)
        return drawn
