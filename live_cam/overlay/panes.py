"""Panes: several images in one, each with a caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.geometry import Rectangle
from live_cam.overlay import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.overlay.theme import Style

_SIDE = 5
"""Side of the featured layout, in small tiles."""
_LARGE = 3
"""Side of its large tile, in small tiles."""


def tiles(area: Rectangle, count: int, aspect: float, gap: int) -> list[Rectangle]:
    """Lay out equal tiles in rows, as large as possible. Every row is centred.

    Args:
        area: The available area.
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
        area: The available area.
        aspect: Width by height of each.
        gap: Pixels between two.

    Returns:
        The large tile, of the size of three by three small ones and the gaps between them; and the
        16 small ones, row by row.
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
    """Lay out a centred table of equal cells, as large as possible: a list per row."""
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
        like: H×W×3 uint8, an image of the same size.
        colour: BGR.
    """
    height, width = like.shape[:2]
    drawn = np.empty((height, width, 3), np.uint8)
    # Row by row; pixel by pixel takes twenty times as long.
    drawn.reshape(height, -1)[:] = np.tile(np.asarray(colour, np.uint8), width)
    return drawn


def place(drawn: NDArray[np.uint8], pane: NDArray[np.uint8], where: Rectangle) -> None:
    """Copy a pane into an image, cropped at its edge.

    Args:
        drawn: H×W×3 uint8, changed in place.
        pane: An image of the size of `where`.
        where: The pane's place.
    """
    target = drawn[
        max(0, where.y) : where.y + where.height, max(0, where.x) : where.x + where.width
    ]
    target[:] = pane[: target.shape[0], : target.shape[1]]


def caption(drawn: NDArray[np.uint8], text: str, where: Rectangle, style: Style) -> None:
    """Write a caption into the lower left corner of a pane, if it fits.

    Args:
        drawn: H×W×3 uint8, changed in place.
        text: The caption.
        where: The pane's place.
        style: The image's style.
    """
    inset = max(2, style.gap // 2)
    sprite = cards.pill(text, style.small, style, where.width - 2 * inset)
    y = where.y + where.height - inset - (sprite.height if sprite else 0)
    if sprite and y >= max(0, where.y):
        sprite.paste(drawn, where.x + inset, y)
