"""The frame with a heatmap on it, in any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.overlay.colours import blend, colour_map, lay, signed_layer
from live_cam.overlay.theme import THEMES
from live_cam.resizing import shrunk
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from live_cam.explanation import Heatmap
    from live_cam.look import Colormap, Look
    from live_cam.overlay.theme import Theme


class Painter:
    """Paints a frame with a heatmap on it, and caches the colours of the maps in use.

    Between two explanations only the image changes. Panes of one size share its shrunk copy.
    """

    def __init__(self) -> None:
        self._kept: dict[_Key, _Kept] = {}
        self._used: set[_Key] = set()
        self._image: NDArray[np.uint8] | None = None
        self._shrunk: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def paint(
        self,
        image: NDArray[np.uint8],
        heatmap: Heatmap | None,
        look: Look,
        *,
        size: tuple[int, int] | None = None,
        region: Region = WHOLE,
        seen: Region = WHOLE,
    ) -> NDArray[np.uint8]:
        """Return a new image.

        Args:
            image: H×W×3 uint8, BGR.
            heatmap: The map, or None for the frame alone.
            look: Alpha, colormap, mirror and theme apply.
            size: Width and height of the result in pixels, at most the frame's; None for the
                frame's.
            region: Which part of the frame the heatmap covers.
            seen: Which part of it the network received. Nothing is blended outside it, and it is
                outlined.
        """
        image = self._sized(image, size or (image.shape[1], image.shape[0]))
        drawn = np.array(image, order="C")
        x, y, width, height = seen.pixels(image.shape[1], image.shape[0])
        part = slice(y, y + height), slice(x, x + width)
        if heatmap is not None:
            kept = self._coloured(heatmap, image, look, region)
            if kept.through is None:
                drawn[part] = blend(image[part], kept.colours[part], look.alpha)
            else:
                drawn[part] = lay(image[part], kept.colours[part], kept.through[part])
        if (width, height) != (image.shape[1], image.shape[0]):
            _outline(drawn, Rectangle(x, y, width, height), THEMES[look.theme])
        return np.asarray(cv2.flip(drawn, 1), np.uint8) if look.mirror else drawn

    def _sized(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        if image is not self._image:
            self._image = image
            self._shrunk.clear()
        if size not in self._shrunk:
            self._shrunk[size] = shrunk(image, *size)
        return self._shrunk[size]

    def _coloured(
        self, heatmap: Heatmap, image: NDArray[np.uint8], look: Look, region: Region
    ) -> _Kept:
        """Return a heatmap's colours in the image's size."""
        height, width = image.shape[:2]
        colours: Colormap | float = look.alpha if heatmap.signed else look.colormap
        key = id(heatmap.values), width, height, colours
        self._used.add(key)
        if key not in self._kept:
            self._kept[key] = _Kept(heatmap.values, *_layer(heatmap, width, height, look, region))
        return self._kept[key]

    def release_unused(self) -> None:
        """Release the colours that were not used since the last call."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._used}
        self._used.clear()


_Key = tuple[int, int, int, "Colormap | float"]
"""The map's id, width, height, and the colormap, or alpha for a signed map."""


class _Kept(NamedTuple):
    """The colours of a map in one size."""

    values: NDArray[np.float32]
    """The map itself, kept since its id could be reused."""
    colours: NDArray[np.uint8]
    through: NDArray[np.uint8] | None
    """How much of the image shows through each pixel, or None if alpha says so everywhere."""


def _layer(
    heatmap: Heatmap, width: int, height: int, look: Look, region: Region
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    if heatmap.signed:
        return signed_layer(heatmap.values, width, height, look.alpha, region)
    return colour_map(heatmap.values, width, height, look.colormap, region), None


def _outline(drawn: NDArray[np.uint8], where: Rectangle, theme: Theme) -> None:
    """Draw a line just outside a rectangle, hiding nothing inside it."""
    inside = drawn[where.y : where.y + where.height, where.x : where.x + where.width]
    kept = inside.copy()
    thickness = max(1, round(min(drawn.shape[:2]) / 240))
    corners = (where.x, where.y), (where.x + where.width - 1, where.y + where.height - 1)
    cv2.rectangle(drawn, *corners, theme.glass, 4 * thickness)
    cv2.rectangle(drawn, *corners, theme.edge, 2 * thickness)
    inside[:] = kept
