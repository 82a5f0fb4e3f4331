"""Several images in one: where each lies, and the frame with a heatmap on it in any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.overlay import cards
from live_cam.overlay.colours import blend, colour_map, lay, signed_layer
from live_cam.resizing import shrunk
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.explanation import Heatmap
    from live_cam.overlay.theme import Style, Theme

_SIDE = 5
"""Small tiles across, and down, that the featured layout is as large as."""
_LARGE = 3
"""Small tiles across, and down, that its large one is as large as."""


class Painter:
    """Paints a frame with a heatmap on it, and remembers the colours of the maps in use.

    Between two explanations only the image changes. Panes of one size share its shrunk copy.
    """

    def __init__(self, colormap: str) -> None:
        """Take one of `settings.COLORMAPS`."""
        self._colormap = colormap
        self._kept: dict[_Key, _Kept] = {}
        self._used: set[_Key] = set()
        self._image: NDArray[np.uint8] | None = None
        self._shrunk: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def paint(
        self,
        image: NDArray[np.uint8],
        heatmap: Heatmap | None,
        alpha: float,
        *,
        size: tuple[int, int] | None = None,
        mirror: bool = False,
        region: Region = WHOLE,
        seen: Region = WHOLE,
        theme: Theme,
    ) -> NDArray[np.uint8]:
        """Return a new image.

        Args:
            image: H×W×3 uint8, BGR.
            heatmap: The map, or None for the frame alone.
            alpha: Weight of the heatmap's colours, in [0, 1].
            size: Width and height of the image in pixels, not above the frame's; None: the
                frame's.
            mirror: Whether left and right are swapped.
            region: Which part of the frame the heatmap covers.
            seen: Which part of it the network saw. Nothing is blended outside, and a line is
                drawn around it.
            theme: The line's colours.
        """
        image = self._sized(image, size or (image.shape[1], image.shape[0]))
        drawn = np.array(image, order="C")
        x, y, width, height = seen.pixels(image.shape[1], image.shape[0])
        part = slice(y, y + height), slice(x, x + width)
        if heatmap is not None:
            through = alpha if heatmap.signed else None
            kept = self._coloured(heatmap.values, image, through, region)
            if kept.through is None:
                drawn[part] = blend(image[part], kept.colours[part], alpha)
            else:
                drawn[part] = lay(image[part], kept.colours[part], kept.through[part])
        if (width, height) != (image.shape[1], image.shape[0]):
            _outline(drawn, Rectangle(x, y, width, height), theme)
        return np.asarray(cv2.flip(drawn, 1), np.uint8) if mirror else drawn

    def _sized(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        if image is not self._image:
            self._image = image
            self._shrunk.clear()
        if size not in self._shrunk:
            self._shrunk[size] = shrunk(image, *size)
        return self._shrunk[size]

    def _coloured(
        self,
        heatmap: NDArray[np.float32],
        image: NDArray[np.uint8],
        signed_alpha: float | None,
        region: Region,
    ) -> _Kept:
        height, width = image.shape[:2]
        key = id(heatmap), width, height, signed_alpha
        self._used.add(key)
        if key not in self._kept:
            through = None
            if signed_alpha is None:
                colours = colour_map(heatmap, width, height, self._colormap, region=region)
            else:
                colours, through = signed_layer(heatmap, width, height, signed_alpha, region)
            self._kept[key] = _Kept(heatmap, colours, through)
        return self._kept[key]

    def forget_unused(self) -> None:
        """Let go of the colours that were not used since the last call."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._used}
        self._used.clear()


_Key = tuple[int, int, int, "float | None"]


class _Kept(NamedTuple):
    """The colours of a map in one size."""

    heatmap: NDArray[np.float32]
    """The map itself: the id of one that is gone may be reused."""
    colours: NDArray[np.uint8]
    through: NDArray[np.uint8] | None
    """How much of the image shows through each pixel; None: the same everywhere."""


def _outline(drawn: NDArray[np.uint8], where: Rectangle, theme: Theme) -> None:
    """Draw a line just outside a rectangle, so that it hides nothing of what is in it."""
    inside = drawn[where.y : where.y + where.height, where.x : where.x + where.width]
    kept = inside.copy()
    thickness = max(1, round(min(drawn.shape[:2]) / 240))
    corners = (where.x, where.y), (where.x + where.width - 1, where.y + where.height - 1)
    cv2.rectangle(drawn, *corners, theme.glass, 4 * thickness)
    cv2.rectangle(drawn, *corners, theme.edge, 2 * thickness)
    inside[:] = kept


def tiles(area: Rectangle, count: int, aspect: float, gap: int) -> list[Rectangle]:
    """Lay equal tiles out in rows, as large as they fit, centred, the last row too.

    Args:
        area: Where.
        count: How many, at least 1.
        aspect: Width by height of each.
        gap: Pixels between two.

    Returns:
        Their places, row by row; none smaller than one pixel.
    """
    _, columns = max(
        (_tile_width(area, each, -(-count // each), aspect, gap), each)
        for each in range(1, count + 1)
    )
    rows = _cells(area, columns, -(-count // columns), aspect, gap)
    *full, last = rows
    rest = count - columns * len(full)
    shift = (columns - rest) * (last[0].width + gap) // 2
    return [*(cell for row in full for cell in row), *(_moved(cell, shift) for cell in last[:rest])]


def featured(area: Rectangle, aspect: float, gap: int) -> tuple[Rectangle, list[Rectangle]]:
    """Lay out one large tile in the upper left, and small ones beside and below it.

    Args:
        area: Where.
        aspect: Width by height of each.
        gap: Pixels between two.

    Returns:
        The large tile, as large as three by three of the small ones with the gaps between them,
        and these 16, row by row.
    """
    rows = _cells(area, _SIDE, _SIDE, aspect, gap)
    first, last = rows[0][0], rows[_LARGE - 1][_LARGE - 1]
    large = first._replace(
        width=last.x + last.width - first.x, height=last.y + last.height - first.y
    )
    beside = [cell for row in rows[:_LARGE] for cell in row[_LARGE:]]
    return large, beside + [cell for row in rows[_LARGE:] for cell in row]


def _cells(
    area: Rectangle, columns: int, rows: int, aspect: float, gap: int
) -> list[list[Rectangle]]:
    """Lay a table of equal cells out, as large as they fit, centred: a list a row."""
    width = _tile_width(area, columns, rows, aspect, gap)
    height = max(1, round(width / aspect))
    left = area.x + (area.width - columns * width - (columns - 1) * gap) // 2
    top = area.y + (area.height - rows * height - (rows - 1) * gap) // 2
    return [
        [
            Rectangle(left + column * (width + gap), top + row * (height + gap), width, height)
            for column in range(columns)
        ]
        for row in range(rows)
    ]


def _tile_width(area: Rectangle, columns: int, rows: int, aspect: float, gap: int) -> int:
    across = (area.width - (columns - 1) * gap) // columns
    down = (area.height - (rows - 1) * gap) // rows
    return max(1, min(across, int(down * aspect)))


def _moved(where: Rectangle, right: int) -> Rectangle:
    return where._replace(x=where.x + right)


def canvas(like: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return an image of one colour.

    Args:
        like: H×W×3 uint8: of this size.
        colour: BGR.
    """
    height, width = like.shape[:2]
    drawn = np.empty((height, width, 3), np.uint8)
    # Row by row: pixel by pixel it takes twenty times as long.
    drawn.reshape(height, -1)[:] = np.tile(np.asarray(colour, np.uint8), width)
    return drawn


def place(drawn: NDArray[np.uint8], pane: NDArray[np.uint8], where: Rectangle) -> None:
    """Copy a pane into an image; what reaches over its edge is cut off.

    Args:
        drawn: H×W×3 uint8, changed in place.
        pane: Of the size of `where`.
        where: The pane's place.
    """
    target = drawn[
        max(0, where.y) : where.y + where.height, max(0, where.x) : where.x + where.width
    ]
    target[:] = pane[: target.shape[0], : target.shape[1]]


def caption(drawn: NDArray[np.uint8], text: str, where: Rectangle, style: Style) -> None:
    """Write a name into the lower left corner of a pane, where it fits.

    Args:
        drawn: H×W×3 uint8, changed in place.
        text: The name.
        where: The pane's place.
        style: The image's style.
    """
    inset = max(2, style.gap // 2)
    sprite = cards.pill(text, style.small, style, where.width - 2 * inset)
    y = where.y + where.height - inset - (sprite.height if sprite else 0)
    if sprite and y >= max(0, where.y):
        sprite.paste(drawn, where.x + inset, y)
