"""Drawing: the heatmap, what the network recognised, and how the run is doing, on one image.

`heatmap` enlarges the map, `colours` colours and blends it, `painter` lays it over a frame; `views`
are the ways to look at it, composed of `panes` and `boxes`. `layout` places each card, `cards` and
`key_card` paint them, `words` writes their text. `paint` and `text` are their brush and pen,
`theme` their colours.

Called as a function, `live_cam.overlay(image, heatmap)` lays any map over any image (see
`live_cam.explain.front`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.overlay.colours import blend_heatmap
from live_cam.overlay.heatmap import check_image, peak, to_frame
from live_cam.overlay.layout import lay_out
from live_cam.overlay.painter import Painter
from live_cam.overlay.views import VIEWS, Drawn, Scene
from live_cam.runtime.callable_package import make_callable

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame
    from live_cam.overlay.status import Status

__all__ = ["Drawn", "Overlay", "blend_heatmap", "peak", "to_frame"]

make_callable(__name__, "live_cam.explain.front")


class Overlay:
    """Draws finished images.

    Between two explanations only the image changes, so the colours of the latest one are cached.
    """

    def __init__(self) -> None:
        self._painter = Painter()

    def draw(self, frame: Frame, explanation: Explanation | None, status: Status) -> Drawn:
        """Draw one image.

        Args:
            frame: The image to draw on. It is not changed.
            explanation: The explanation of this frame or a slightly earlier one, or None if there
                is none yet.
            status: What else is shown; its `look` says how.

        Returns:
            A new H×W×3 uint8 image of the frame's size, BGR, and where its panes lie.

        Raises:
            ValueError: The frame's image or the heatmap has another shape or type.
        """
        check_image(frame.image)
        height, width = frame.image.shape[:2]
        placed = lay_out(width, height, explanation, status)
        bottom = min((card.rectangle.y for card in placed if card.name == "status"), default=height)
        scene = Scene(frame.image, explanation, status, bottom, self._painter)
        drawn = VIEWS[status.look.view](scene)
        self._painter.release_unused()
        for card in placed:
            card.sprite.paste(drawn.image, card.rectangle.x, card.rectangle.y)
        return drawn
