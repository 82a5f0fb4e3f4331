"""The boxes on a frame: around the evidence, and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.overlay.heatmap import evidence_box, peak
from live_cam.overlay.theme import THEMES
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.geometry import Rectangle, Region
    from live_cam.look import Look
    from live_cam.overlay.theme import Colour, Theme


def draw_evidence_box(drawn: NDArray[np.uint8], explanation: Explanation, look: Look) -> None:
    """Draw a box around the evidence.

    Args:
        drawn: H×W×3 uint8, changed in place: the frame, mirrored if the look says so.
        explanation: Where the evidence lies.
        look: Theme and mirror.
    """
    height, width = drawn.shape[:2]
    box = evidence_box(explanation.heatmap, width, height, explanation.region, explanation.seen)
    if box is None:
        return
    x = width - box.x - box.width if look.mirror else box.x
    theme = THEMES[look.theme]
    draw_box(drawn, box._replace(x=x), theme, theme.accent)


def draw_target(
    drawn: NDArray[np.uint8], explanation: Explanation, target: Region, look: Look
) -> None:
    """Draw the box that the user drew, and a cross at the peak of the evidence.

    Args:
        drawn: H×W×3 uint8, changed in place: the frame, mirrored if the look says so.
        explanation: Where the evidence lies.
        target: The box, in shares of the unmirrored frame.
        look: Theme and mirror.
    """
    theme = THEMES[look.theme]
    height, width = drawn.shape[:2]
    box = (target.mirrored() if look.mirror else target).pixels(width, height)
    draw_box(drawn, box, theme, theme.ink)
    if explanation.heatmap.max() <= 0:
        return
    place = peak(explanation.heatmap, width, height, mirror=look.mirror, region=explanation.region)
    colour = theme.accent if box.contains(*place) else theme.red
    thickness = _thickness(drawn)
    for ink, extra in ((theme.glass, 2), (colour, 0)):
        size = 10 * thickness + extra
        cv2.drawMarker(drawn, place, ink, cv2.MARKER_CROSS, size, thickness + extra)


def draw_box(drawn: NDArray[np.uint8], box: Rectangle, theme: Theme, colour: Colour) -> None:
    """Draw a box with a contrasting edge, visible on any image.

    Args:
        drawn: H×W×3 uint8, changed in place.
        box: Where.
        theme: Colour of the edge.
        colour: Of the line.
    """
    corners = (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1)
    thickness = _thickness(drawn)
    cv2.rectangle(drawn, *corners, theme.glass, thickness + 2)
    cv2.rectangle(drawn, *corners, colour, thickness)


def _thickness(drawn: NDArray[np.uint8]) -> int:
    shorter: int = min(drawn.shape[:2])
    return max(2, round(shorter / 240))
