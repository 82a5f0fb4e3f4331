"""One image for a report: the original, the probabilities, and each class's heatmap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.geometry import Rectangle
from live_cam.overlay.cards import bars_card
from live_cam.overlay.painter import Painter
from live_cam.overlay.panes import caption, place
from live_cam.overlay.theme import Style
from live_cam.overlay.words import entries, headline
from live_cam.resizing import shrunk
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.look import Look

_SIDE: Final = 640
"""Pixels along the longer side of each pane, whatever the image's size."""
_ASPECTS: Final = (0.5, 2.0)
"""A pane's least and largest width by height. Longer images are centred in it, so that the bars
stay readable."""
_CHART_TEXT: Final = 1.5
"""Font size relative to the captions, if there is room."""
_CHART_LETTERS: Final = 18
"""The chart's width is at least this many times its font size."""


class Panel:
    """Draws panels.

    Args:
        look: Alpha, colormap, theme and mirror apply; the panel has its own arrangement.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._painter = Painter()
        # Text of the same size in all panels: that of two 4:3 panes above each other.
        self._style = Style.of(2 * _SIDE, round(1.5 * _SIDE), look.theme)

    def draw(
        self, image: NDArray[np.uint8], explanations: Sequence[Explanation], network: str
    ) -> NDArray[np.uint8]:
        """Draw one.

        The left column has the image above the probabilities of the top classes. Each further
        column has the heatmap of a class above its overlay.

        Args:
            image: H×W×3 uint8, BGR.
            explanations: One for each class, at least one.
            network: The name of the network and its layer.

        Returns:
            A new H×W×3 uint8 image, BGR.
        """
        small, pane = _fitted(image)
        gap, style = self._style.gap, self._style
        columns = 1 + len(explanations)
        size = columns * (pane[0] + gap) + gap, 2 * (pane[1] + gap) + gap
        drawn = np.full((size[1], size[0], 3), style.theme.glass, np.uint8)
        upper = Rectangle(gap, gap, *pane)
        lower = upper._replace(y=pane[1] + 2 * gap)
        _place(drawn, self._painter.paint(small, None, self._look), upper, "image", style)
        _chart(drawn, explanations[0], network, lower, style)
        for explanation in explanations:
            upper, lower = (each._replace(x=each.x + pane[0] + gap) for each in (upper, lower))
            heatmap = self._painted(small, explanation, replace(self._look, alpha=1.0))
            overlay = self._painted(small, explanation, self._look)
            _place(drawn, heatmap, upper, explanation.maps[0].title, style)
            _place(drawn, overlay, lower, headline(explanation), style)
        self._painter.release_unused()
        return drawn

    def _painted(
        self, image: NDArray[np.uint8], explanation: Explanation, look: Look
    ) -> NDArray[np.uint8]:
        return self._painter.paint(
            image,
            explanation.maps[0],
            look,
            region=explanation.region,
            seen=explanation.seen,
        )


def _place(
    drawn: NDArray[np.uint8],
    image: NDArray[np.uint8],
    where: Rectangle,
    title: str,
    style: Style,
) -> None:
    """Copy an image into the middle of its pane, and write its title into a corner."""
    height, width = image.shape[:2]
    x = where.x + (where.width - width) // 2
    y = where.y + (where.height - height) // 2
    place(drawn, image, Rectangle(x, y, width, height))
    caption(drawn, title, where, style)


def _fitted(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the image in the size that is shown, and its pane's width and height."""
    height, width = image.shape[:2]
    aspect = min(max(width / height, _ASPECTS[0]), _ASPECTS[1])
    pane = round(_SIDE * min(1.0, aspect)), round(_SIDE / max(1.0, aspect))
    factor = min(pane[0] / width, pane[1] / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if factor < 1:
        return shrunk(image, *size), pane
    enlarged = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8), pane


def _chart(
    drawn: NDArray[np.uint8],
    explanation: Explanation,
    network: str,
    where: Rectangle,
    style: Style,
) -> None:
    """Draw the probabilities of the top classes as bars."""
    size = round(min(_CHART_TEXT * style.small, where.width / _CHART_LETTERS))
    card = bars_card(
        entries(explanation), replace(style, small=size), where.width - 2 * style.margin
    )
    if card is not None:
        y = where.y + (where.height - card.height) // 2
        card.paste(drawn, where.x + style.margin, y)
    caption(drawn, network, where, style)
