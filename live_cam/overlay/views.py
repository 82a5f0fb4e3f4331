"""The ways to look at an explanation. Each composes panes; none knows another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.overlay.heatmap import peak, to_frame
from live_cam.overlay.layout import lay_out_answer
from live_cam.overlay.panes import canvas, caption, featured, place, tiles
from live_cam.overlay.theme import Style
from live_cam.overlay.words import headline, map_title
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation, Heatmap
    from live_cam.overlay.panes import Painter
    from live_cam.overlay.status import Status
    from live_cam.overlay.theme import Colour, Theme

_BOX_THRESHOLD = 0.15
"""Of the map's maximum (Selvaraju et al. 2017, section 4.1)."""
_BOX_SIDE = 240
"""Pixels along the longer side of the map in which the box is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a view draws."""

    image: NDArray[np.uint8]
    """H×W×3, BGR: the frame."""
    explanation: Explanation | None
    status: Status
    bottom: int
    """The row below which the status bar lies."""
    painter: Painter
    places: list[Rectangle] = field(default_factory=list)
    """Where single feature maps lie: filled by the view that shows them."""

    def pane(
        self,
        heatmap: Heatmap | None,
        alpha: float,
        size: tuple[int, int] | None = None,
    ) -> NDArray[np.uint8]:
        """Paint the frame with a heatmap on it."""
        said = self.explanation
        return self.painter.paint(
            self.image,
            heatmap,
            alpha,
            size=size,
            mirror=self.status.mirror,
            region=said.region if said else WHOLE,
            seen=said.seen if said else WHOLE,
            theme=self.style().theme,
        )

    def canvas(self) -> NDArray[np.uint8]:
        """Return an empty image of the frame's size."""
        return canvas(self.image, self.style().theme.glass)

    def area(self) -> Rectangle:
        """Return where panes may lie."""
        gap = self.style().gap
        width, height = self.image.shape[1] - 2 * gap, self.bottom - 2 * gap
        return Rectangle(gap, gap, max(1, width), max(1, height))

    def aspect(self) -> float:
        """Return the frame's width by its height."""
        return float(self.image.shape[1] / self.image.shape[0])

    def style(self) -> Style:
        """Return the colours, and the sizes of text and gaps."""
        return Style.of(self.image.shape[1], self.image.shape[0], self.status.theme)


class _Pane(NamedTuple):
    """A title, the map to draw and the weight of its colours; without a map, the frame alone."""

    title: str
    heatmap: Heatmap | None = None
    alpha: float = 0.0


def overlay(scene: Scene) -> NDArray[np.uint8]:
    """The heatmap's colours over the frame."""
    return _single(scene, scene.status.alpha)


def heatmap(scene: Scene) -> NDArray[np.uint8]:
    """The heatmap's colours alone."""
    return _single(scene, 1.0)


def camera(scene: Scene) -> NDArray[np.uint8]:
    """The frame alone."""
    return _single(scene, 0.0)


def split(scene: Scene) -> NDArray[np.uint8]:
    """The frame, the heatmap and the overlay side by side, and what the network says."""
    said, alpha = scene.explanation, scene.status.alpha
    shown = said.maps[0] if said else None
    panes = [
        _Pane("camera"),
        _Pane(shown.title if shown else "heatmap", shown, 1.0),
        _Pane("overlay", shown, alpha),
    ]
    drawn, style = scene.canvas(), scene.style()
    *places, free = tiles(scene.area(), len(panes) + 1, scene.aspect(), style.gap)
    _fill(scene, drawn, panes, places)
    if said:
        for card in lay_out_answer(free.width, free.height, said, scene.status, style):
            card.sprite.paste(drawn, free.x + card.rectangle.x, free.y + card.rectangle.y)
    return drawn


def grid(scene: Scene) -> NDArray[np.uint8]:
    """The frame, and what each method makes of it."""
    said = scene.explanation
    maps = said.maps if said else ()
    return _mosaic(
        scene,
        [
            _Pane(headline(said) if said else "camera"),
            *(_Pane(map_title(each), each, scene.status.alpha) for each in maps),
        ],
    )


def classes(scene: Scene) -> NDArray[np.uint8]:
    """Several classes side by side."""
    said, alpha = scene.explanation, scene.status.alpha
    each = said.split_by_class() if said else ()
    panes = [_Pane(headline(one), one.maps[0], alpha) for one in each]
    return _mosaic(scene, panes or [_Pane("camera")])


def maps(scene: Scene) -> NDArray[np.uint8]:
    """The strongest feature maps beside one large image: of one of them, or of their sum."""
    said = scene.explanation
    if said is None:
        return _mosaic(scene, [_Pane("camera")])
    style, alpha, focus = scene.style(), scene.status.alpha, scene.status.focus
    found = [each for each in said.maps if each.feature_map is not None]
    if not found:  # yet: the explanation was asked for something else
        return _mosaic(scene, [_Pane(headline(said), said.maps[0], alpha)])
    large, places = featured(scene.area(), scene.aspect(), style.gap)
    small = [_Pane(map_title(each), each, alpha) for each in found]
    shown = _Pane(headline(said), said.maps[0], alpha)
    if focus is not None and focus < len(small):
        shown = small[focus]._replace(title=f"feature map {small[focus].title}")
    drawn = scene.canvas()
    _fill(scene, drawn, [shown, *small], [large, *places])
    scene.places.extend(places[: len(small)])
    if focus is not None and focus < len(small):
        _draw_box(drawn, places[focus], style.theme, style.theme.accent)
    return drawn


VIEWS: Final[dict[str, Callable[[Scene], NDArray[np.uint8]]]] = {
    "overlay": overlay,
    "heatmap": heatmap,
    "camera": camera,
    "split": split,
    "grid": grid,
    "classes": classes,
    "maps": maps,
}
"""Every view by its name in `settings.VIEWS`."""


def evidence_box(
    heatmap: NDArray[np.float32],
    width: int,
    height: int,
    region: Region = WHOLE,
    seen: Region = WHOLE,
) -> Rectangle | None:
    """Find the box around the largest region above 15 % of the map's maximum.

    Selvaraju et al. 2017, section 4.1 (weakly supervised localisation).

    Args:
        heatmap: h×w float32, of which only what is above 0 counts.
        width: The frame's width in pixels.
        height: Its height in pixels.
        region: Which part of the frame the heatmap covers.
        seen: Which part of it the network saw: nowhere else is evidence.

    Returns:
        In pixels of the frame; None where nothing is above 0.
    """
    shrink = min(1.0, _BOX_SIDE / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    left, top, inner_width, inner_height = seen.pixels(*size)
    part = slice(top, top + inner_height), slice(left, left + inner_width)
    laid = np.zeros(size[::-1], np.float32)
    laid[part] = to_frame(heatmap, *size, region=region)[part]
    if laid.max() <= 0:
        return None
    above = (laid >= _BOX_THRESHOLD * laid.max()).astype(np.uint8)
    _, _, regions, _ = cv2.connectedComponentsWithStats(above)
    x, y, across, down, _ = regions[1 + int(regions[1:, cv2.CC_STAT_AREA].argmax())].tolist()
    columns, rows = width / size[0], height / size[1]
    return Rectangle(
        round(x * columns), round(y * rows), round(across * columns), round(down * rows)
    )


def _single(scene: Scene, alpha: float) -> NDArray[np.uint8]:
    said = scene.explanation
    if said is None:
        return scene.pane(None, alpha)
    drawn = scene.pane(said.maps[0] if alpha > 0 else None, alpha)
    if scene.status.box:
        _draw_evidence_box(drawn, said, scene.style().theme, mirror=scene.status.mirror)
    if scene.status.target:
        _draw_target(
            drawn, said, scene.status.target, scene.style().theme, mirror=scene.status.mirror
        )
    return drawn


def _draw_evidence_box(
    drawn: NDArray[np.uint8], said: Explanation, theme: Theme, *, mirror: bool
) -> None:
    height, width = drawn.shape[:2]
    box = evidence_box(said.heatmap, width, height, said.region, said.seen)
    if box is None:
        return
    x = width - box.x - box.width if mirror else box.x
    _draw_box(drawn, box._replace(x=x), theme, theme.accent)


def _draw_target(
    drawn: NDArray[np.uint8], said: Explanation, target: Region, theme: Theme, *, mirror: bool
) -> None:
    """Draw the box that the user drew, and a cross where the peak is."""
    height, width = drawn.shape[:2]
    box = (target.mirrored() if mirror else target).pixels(width, height)
    _draw_box(drawn, box, theme, theme.ink)
    if said.heatmap.max() <= 0:
        return
    place = peak(said.heatmap, width, height, mirror=mirror, region=said.region)
    colour = theme.accent if box.contains(*place) else theme.red
    thickness = _thickness(drawn)
    for ink, extra in ((theme.glass, 2), (colour, 0)):
        size = 10 * thickness + extra
        cv2.drawMarker(drawn, place, ink, cv2.MARKER_CROSS, size, thickness + extra)


def _draw_box(drawn: NDArray[np.uint8], box: Rectangle, theme: Theme, colour: Colour) -> None:
    """Draw a line with a contrasting edge, so that it is seen on any image."""
    corners = (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1)
    thickness = _thickness(drawn)
    cv2.rectangle(drawn, *corners, theme.glass, thickness + 2)
    cv2.rectangle(drawn, *corners, colour, thickness)


def _thickness(drawn: NDArray[np.uint8]) -> int:
    shorter: int = min(drawn.shape[:2])
    return max(2, round(shorter / 240))


def _mosaic(scene: Scene, panes: list[_Pane]) -> NDArray[np.uint8]:
    drawn = scene.canvas()
    places = tiles(scene.area(), len(panes), scene.aspect(), scene.style().gap)
    _fill(scene, drawn, panes, places)
    return drawn


def _fill(
    scene: Scene, drawn: NDArray[np.uint8], panes: list[_Pane], places: list[Rectangle]
) -> None:
    """Paint panes into their places; there may be fewer panes than places."""
    for pane, where in zip(panes, places, strict=False):
        place(drawn, scene.pane(pane.heatmap, pane.alpha, (where.width, where.height)), where)
        caption(drawn, pane.title, where, scene.style())
