"""Painting of cards: rounded boxes and text, laid over a picture as frosted glass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from live_cam.opencv import cv2
from live_cam.overlay.text import text_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Blue, green and red, each 0 to 255."""

GLASS: Colour = (27, 22, 20)
INK: Colour = (252, 250, 248)
QUIET_INK: Colour = (216, 210, 206)
ACCENT: Colour = (191, 212, 45)
RED: Colour = (68, 68, 239)
LIGHT: Colour = (255, 255, 255)
_NOTHING: Colour = (0, 0, 0)

_GLASS_OPACITY = 0.8
_EDGE_OPACITY = 0.1
_FROST = 8
"""Pixels, along each axis, that the glass melts into one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A painted card, ready to be laid over pictures.

    Laid over, it shows `paint + sharp × picture + frosted × blurred picture`; the weights run
    from 0 to 255.
    """

    paint: NDArray[np.uint8]
    """H×W×3, BGR, already multiplied by its opacity."""
    sharp: NDArray[np.uint8]
    """H×W×3: how much of the picture shows through as it is: around the rounded corners."""
    frosted: NDArray[np.uint8]
    """H×W×3: how much of it shows through blurred: wherever there is glass."""

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.paint.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.paint.shape[0])

    def paste(self, picture: NDArray[np.uint8], x: int, y: int) -> None:
        """Lay the card over a picture, in place.

        Args:
            picture: H×W×3 uint8, BGR.
            x: The column of the card's left edge. The card must lie inside the picture.
            y: The row of its upper edge.
        """
        covered = picture[y : y + self.height, x : x + self.width]
        coarse = (max(1, self.width // _FROST), max(1, self.height // _FROST))
        blurred = cv2.resize(
            cv2.resize(covered, coarse, interpolation=cv2.INTER_AREA), (self.width, self.height)
        )
        through = cv2.multiply(blurred, self.frosted, scale=1 / 255)
        around = cv2.multiply(covered, self.sharp, scale=1 / 255)
        covered[:] = cv2.add(cv2.add(through, around), self.paint)


class Canvas:
    """A pane of dark glass with rounded corners and a fine edge, to paint one card on.

    Args:
        width: In pixels.
        height: In pixels.
        radius: The corners' radius in pixels.
    """

    def __init__(self, width: int, height: int, radius: float) -> None:
        self.width = width
        self.height = height
        pane = _pane(width, height, radius)
        self._paint = pane.paint.copy()
        self._sharp = pane.sharp.copy()
        self._frosted = pane.frosted.copy()

    def box(
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        colour: Colour,
        *,
        radius: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Paint a box; with a radius of half its side it is a disc.

        Args:
            x: The column of its left edge.
            y: The row of its upper edge.
            width: In pixels; nothing is painted where it is 0.
            height: In pixels.
            colour: Its colour.
            radius: The corners' radius in pixels.
            opacity: In [0, 1].
        """
        if width > 0 and height > 0:
            self._lay(x, y, _rounded(width, height, radius) * opacity, colour)

    def text(self, x: int, baseline: int, text: str, size: int, colour: Colour) -> None:
        """Write a line of text.

        Args:
            x: The column where it begins.
            baseline: The row on which the letters stand.
            text: One line.
            size: The font's size in pixels.
            colour: Its colour.
        """
        mask = text_mask(text, size)
        coverage = np.divide(mask.coverage, 255, dtype=np.float32)
        self._lay(x - mask.left, baseline - mask.baseline, coverage, colour)

    def sprite(self) -> Sprite:
        """Finish the card; nothing may be painted on it after that."""
        return Sprite(paint=self._paint, sharp=self._sharp, frosted=self._frosted)

    def _lay(self, x: int, y: int, coverage: NDArray[np.float32], colour: Colour) -> None:
        """Lay a layer of one colour over what is painted; what reaches outside is cut off."""
        top, left = max(0, -y), max(0, -x)
        layer = coverage[top : self.height - y, left : self.width - x, None]
        rows, columns = layer.shape[:2]
        place = np.s_[y + top : y + top + rows, x + left : x + left + columns]
        self._paint[place] = _mixed(self._paint[place], layer, colour)
        self._sharp[place] = _mixed(self._sharp[place], layer, _NOTHING)
        self._frosted[place] = _mixed(self._frosted[place], layer, _NOTHING)


@lru_cache(maxsize=32)
def _pane(width: int, height: int, radius: float) -> Sprite:
    """Paint the glass alone. Its arrays are not to be written to."""
    pane = _rounded(width, height, radius)[:, :, None]
    edge = pane.copy()
    if width > 2 and height > 2:
        edge[1:-1, 1:-1] -= _rounded(width - 2, height - 2, radius - 1)[:, :, None]
    through = (1 - pane * _GLASS_OPACITY) * (1 - edge * _EDGE_OPACITY) * np.full(3, 255, np.float32)
    glass = pane * _GLASS_OPACITY * np.array(GLASS, np.float32)
    return Sprite(
        paint=_mixed(glass, edge * _EDGE_OPACITY, LIGHT),
        sharp=_mixed(through, pane, _NOTHING),
        frosted=_mixed(through, 1 - pane, _NOTHING),
    )


def _mixed(
    values: NDArray[np.uint8] | NDArray[np.float32], layer: NDArray[np.float32], colour: Colour
) -> NDArray[np.uint8]:
    """Lay a layer of one colour over values from 0 to 255, rounded."""
    mixed = values + layer * (np.array(colour, np.float32) - values)
    return (mixed + 0.5).astype(np.uint8)


def _rounded(width: int, height: int, radius: float) -> NDArray[np.float32]:
    """Return how much of each pixel of its bounding box a rounded box covers, in [0, 1]."""
    radius = max(0.0, min(radius, width / 2, height / 2))
    x = np.abs(np.arange(width, dtype=np.float32) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height, dtype=np.float32) - (height - 1) / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None])
    inside = np.minimum(np.maximum(x[None, :], y[:, None]), 0)
    return np.asarray(np.clip(radius + 0.5 - outside - inside, 0, 1), np.float32)
