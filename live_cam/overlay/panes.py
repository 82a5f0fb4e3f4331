"""Several pictures in one: where each lies, and the frame with a heatmap on it in any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.opencv import cv2
from live_cam.overlay import cards
from live_cam.overlay.heatmap import blend, colour_map
from live_cam.overlay.paint import GLASS, LIGHT
from live_cam.resizing import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.overlay.cards import Scale


class Painter:
    """Paints a frame with a heatmap on it, and remembers the colours of the maps in use.

    Between two explanations only the picture changes. Panes of one size share its shrunk copy.
    """

    def __init__(self, colormap: str) -> None:
        """Take one of `settings.COLORMAPS`."""
        self._colormap = colormap
        self._kept: dict[tuple[int, int, int], tuple[NDArray[np.float32], NDArray[np.uint8]]] = {}
        self._used: set[tuple[int, int, int]] = set()
        self._image: NDArray[np.uint8] | None = None
        self._shrunk: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def paint(
        self,
        image: NDArray[np.uint8],
        heatmap: NDArray[np.float32] | None,
        alpha: float,
        *,
        size: tuple[int, int] | None = None,
        signed: bool = False,
        mirror: bool = False,
        region: Region = WHOLE,
        seen: Region = WHOLE,
    ) -> NDArray[np.uint8]:
        """Return a new picture.

        Args:
            image: H×W×3 uint8, BGR.
            heatmap: h×w float32, as `heatmap.colour_map` takes it; None: the frame alone.
            alpha: Weight of the heatmap's colours, in [0, 1].
            size: Width and height of the picture in pixels, not above the frame's; None: the
                frame's.
            signed: Whether the heatmap is.
            mirror: Whether left and right are swapped.
            region: Which part of the frame the heatmap covers.
            seen: Which part of it the network saw. Nothing is blended outside, and a line is
                drawn around it.
        """
        image = self._sized(image, size or (image.shape[1], image.shape[0]))
        picture = np.array(image, order="C")
        x, y, width, height = seen.pixels(image.shape[1], image.shape[0])
        part = slice(y, y + height), slice(x, x + width)
        if heatmap is not None:
            colours = self._colours(heatmap, image, signed, region)
            picture[part] = blend(image[part], colours[part], alpha)
        if (width, height) != (image.shape[1], image.shape[0]):
            _outline(picture, Rectangle(x, y, width, height))
        return np.asarray(cv2.flip(picture, 1), np.uint8) if mirror else picture

    def _sized(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        if image is not self._image:
            self._image = image
            self._shrunk.clear()
        if size not in self._shrunk:
            self._shrunk[size] = shrunk(image, *size)
        return self._shrunk[size]

    def _colours(
        self, heatmap: NDArray[np.float32], image: NDArray[np.uint8], signed: bool, region: Region
    ) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        key = id(heatmap), width, height
        self._used.add(key)
        # The heatmap itself is kept: the id of one that is gone may be reused.
        if key not in self._kept:
            colours = colour_map(
                heatmap, width, height, self._colormap, signed=signed, region=region
            )
            self._kept[key] = heatmap, colours
        return self._kept[key][1]

    def forget_unused(self) -> None:
        """Let go of the colours that were not used since the last call."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._used}
        self._used.clear()


def _outline(picture: NDArray[np.uint8], where: Rectangle) -> None:
    """Draw a line just outside a rectangle, so that it hides nothing of what is in it."""
    inside = picture[where.y : where.y + where.height, where.x : where.x + where.width]
    kept = inside.copy()
    thickness = max(1, round(min(picture.shape[:2]) / 240))
    corners = (where.x, where.y), (where.x + where.width - 1, where.y + where.height - 1)
    cv2.rectangle(picture, *corners, GLASS, 4 * thickness)
    cv2.rectangle(picture, *corners, LIGHT, 2 * thickness)
    inside[:] = kept


def tiles(area: Rectangle, count: int, aspect: float, gap: int) -> list[Rectangle]:
    """Lay equal tiles out in rows, as large as they fit, centred.

    Args:
        area: Where.
        count: How many, at least 1.
        aspect: Width by height of each.
        gap: Pixels between two.

    Returns:
        Their places, row by row; none smaller than one pixel.
    """
    width, columns = max(
        (_tile_width(area, count, each, aspect, gap), each) for each in range(1, count + 1)
    )
    height = max(1, round(width / aspect))
    rows = -(-count // columns)
    left = area.x + (area.width - columns * width - (columns - 1) * gap) // 2
    top = area.y + (area.height - rows * height - (rows - 1) * gap) // 2
    return [
        Rectangle(
            left + place % columns * (width + gap),
            top + place // columns * (height + gap),
            width,
            height,
        )
        for place in range(count)
    ]


def _tile_width(area: Rectangle, count: int, columns: int, aspect: float, gap: int) -> int:
    rows = -(-count // columns)
    across = (area.width - (columns - 1) * gap) // columns
    down = (area.height - (rows - 1) * gap) // rows
    return max(1, min(across, int(down * aspect)))


def canvas(like: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a picture of one colour.

    Args:
        like: H×W×3 uint8: of this size.
        colour: BGR.
    """
    height, width = like.shape[:2]
    picture = np.empty((height, width, 3), np.uint8)
    # Row by row: pixel by pixel it takes twenty times as long.
    picture.reshape(height, -1)[:] = np.tile(np.asarray(colour, np.uint8), width)
    return picture


def place(picture: NDArray[np.uint8], pane: NDArray[np.uint8], where: Rectangle) -> None:
    """Copy a pane into a picture; what reaches over its edge is cut off.

    Args:
        picture: H×W×3 uint8, changed in place.
        pane: Of the size of `where`.
        where: The pane's place.
    """
    target = picture[
        max(0, where.y) : where.y + where.height, max(0, where.x) : where.x + where.width
    ]
    target[:] = pane[: target.shape[0], : target.shape[1]]


def caption(picture: NDArray[np.uint8], text: str, where: Rectangle, scale: Scale) -> None:
    """Write a name into the lower left corner of a pane, where it fits.

    Args:
        picture: H×W×3 uint8, changed in place.
        text: The name.
        where: The pane's place.
        scale: The picture's sizes.
    """
    inset = max(2, scale.gap // 2)
    sprite = cards.pill(text, scale.small, scale, where.width - 2 * inset)
    y = where.y + where.height - inset - (sprite.height if sprite else 0)
    if sprite and y >= max(0, where.y):
        sprite.paste(picture, where.x + inset, y)
