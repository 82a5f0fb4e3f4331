"""Painting cards: rounded boxes and text, on frosted glass or directly on the image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from live_cam.overlay.text import text_mask
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.overlay.theme import Colour, Theme

_NOTHING: Colour = (0, 0, 0)
_EDGE_OPACITY = 0.1
_SHADOW_OPACITY = 0.88
_SHADOW_REACH = 0.17
"""Reach of a shadow beyond its text, as a share of the font's size."""
_LEAST_REACH = 3
"""Least reach of a text's shadow, in pixels."""
_FROST = 8
"""Pixels along each axis that the glass blurs into one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A painted card, ready to be pasted over images.

    Pasted, it shows `paint + sharp × image + frosted × blurred image`, with weights from 0 to 255.
    """

    paint: NDArray[np.uint8]
    """H×W×3, BGR, already multiplied by its opacity."""
    sharp: NDArray[np.uint8]
    """H×W×3: how much of the sharp image shows through: around the rounded corners."""
    frosted: NDArray[np.uint8]
    """H×W×3: how much of the blurred image shows through: behind the glass."""

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.paint.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.paint.shape[0])

    def paste(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        """Paste the card over an image, in place.

        Args:
            image: H×W×3 uint8, BGR.
            x: The column of the card's left edge. The card must lie inside the image.
            y: The row of its upper edge.
        """
        covered = image[y : y + self.height, x : x + self.width]
        coarse = (max(1, self.width // _FROST), max(1, self.height // _FROST))
        blurred = cv2.resize(
            cv2.resize(covered, coarse, interpolation=cv2.INTER_AREA), (self.width, self.height)
        )
        through = cv2.multiply(blurred, self.frosted, scale=1 / 255)
        around = cv2.multiply(covered, self.sharp, scale=1 / 255)
        covered[:] = cv2.add(cv2.add(through, around), self.paint)


class Canvas:
    """A pane of glass with rounded corners and a thin edge, to paint one card on.

    If the theme has no glass, everything painted casts a shadow instead, so that it stands out
    from any image.

    Args:
        width: In pixels.
        height: In pixels.
        radius: The corners' radius in pixels.
        theme: Of the card.
    """

    def __init__(self, width: int, height: int, radius: float, theme: Theme) -> None:
        self.width = width
        self.height = height
        self.theme = theme
        self._pane = _pane(width, height, radius, theme)
        self._layers: list[_Layer] = []

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
        """Paint a box; a radius of half its side makes it a disc.

        Args:
            x: The column of its left edge.
            y: The row of its upper edge.
            width: In pixels; nothing is painted if it is 0.
            height: In pixels.
            colour: Its colour.
            radius: The corners' radius in pixels.
            opacity: In [0, 1].
        """
        if width > 0 and height > 0 and opacity > 0:
            reach = min(_LEAST_REACH, max(1, height // 4))
            shape = _rounded(width, height, radius)
            self._layers.append(_Layer(x, y, shape, colour, opacity, reach))

    def text(self, x: int, baseline: int, text: str, size: int, colour: Colour) -> None:
        """Write a line of text.

        Args:
            x: The column at which it begins.
            baseline: The row on which the letters stand.
            text: One line.
            size: The font's size in pixels.
            colour: Its colour.
        """
        mask = text_mask(text, size)
        coverage = np.divide(mask.coverage, 255, dtype=np.float32)
        left, top = x - mask.left, baseline - mask.baseline
        reach = max(_LEAST_REACH, round(_SHADOW_REACH * size))
        self._layers.append(_Layer(left, top, coverage, colour, 1.0, reach))

    def sprite(self) -> Sprite:
        """Finish the card."""
        pane = self._pane
        sprite = Sprite(pane.paint.copy(), pane.sharp.copy(), pane.frosted.copy())
        # All shadows first, so that none falls on its neighbours.
        shadows = [] if self.theme.opacity else [_shadow(each, self.theme) for each in self._layers]
        for layer in (*shadows, *self._layers):
            _lay(sprite, layer)
        return sprite


class _Layer(NamedTuple):
    """A shape of one colour, which may cross the card's edges."""

    x: int
    y: int
    coverage: NDArray[np.float32]
    """H×W, in [0, 1]."""
    colour: Colour
    opacity: float
    """In [0, 1]."""
    reach: int
    """Reach of its shadow in pixels."""


def _shadow(layer: _Layer, theme: Theme) -> _Layer:
    """Return the soft shadow around a layer."""
    reach = layer.reach
    around = 2 * reach
    wide = np.pad(layer.coverage, around)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    soft = np.asarray(cv2.GaussianBlur(cv2.dilate(wide, disc), (0, 0), reach / 2.5), np.float32)
    return _Layer(layer.x - around, layer.y - around, soft, theme.glass, _SHADOW_OPACITY, 0)


def _lay(sprite: Sprite, layer: _Layer) -> None:
    """Blend a layer over the card, cropped to it."""
    x, y = layer.x, layer.y
    top, left = max(0, -y), max(0, -x)
    coverage = layer.coverage[top : sprite.height - y, left : sprite.width - x, None]
    rows, columns = coverage.shape[:2]
    place = np.s_[y + top : y + top + rows, x + left : x + left + columns]
    for values, colour in (
        (sprite.paint, layer.colour),
        (sprite.sharp, _NOTHING),
        (sprite.frosted, _NOTHING),
    ):
        values[place] = _mixed(values[place], layer.opacity * coverage, colour)


@lru_cache(maxsize=32)
def _pane(width: int, height: int, radius: float, theme: Theme) -> Sprite:
    """Paint the glass alone. Do not write to its arrays."""
    if not theme.opacity:
        empty = np.zeros((height, width, 3), np.uint8)
        return Sprite(paint=empty, sharp=np.full_like(empty, 255), frosted=empty)
    pane = _rounded(width, height, radius)[:, :, None]
    edge = pane.copy()
    if width > 2 and height > 2:
        edge[1:-1, 1:-1] -= _rounded(width - 2, height - 2, radius - 1)[:, :, None]
    through = (1 - pane * theme.opacity) * (1 - edge * _EDGE_OPACITY) * np.full(3, 255, np.float32)
    glass = pane * theme.opacity * np.array(theme.glass, np.float32)
    return Sprite(
        paint=_mixed(glass, edge * _EDGE_OPACITY, theme.edge),
        sharp=_mixed(through, pane, _NOTHING),
        frosted=_mixed(through, 1 - pane, _NOTHING),
    )


def _mixed(
    values: NDArray[np.uint8] | NDArray[np.float32], layer: NDArray[np.float32], colour: Colour
) -> NDArray[np.uint8]:
    """Blend a layer of one colour over values from 0 to 255, rounded."""
    mixed = values + layer * (np.array(colour, np.float32) - values)
    return (mixed + 0.5).astype(np.uint8)


def _rounded(width: int, height: int, radius: float) -> NDArray[np.float32]:
    """Return a rounded box's coverage of each pixel of its bounding box, in [0, 1]."""
    radius = max(0.0, min(radius, width / 2, height / 2))
    x = np.abs(np.arange(width, dtype=np.float32) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height, dtype=np.float32) - (height - 1) / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None])
    inside = np.minimum(np.maximum(x[None, :], y[:, None]), 0)
    return np.asarray(np.clip(radius + 0.5 - outside - inside, 0, 1), np.float32)
