"""The ways to look at an explanation. Each composes panes; none knows another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.opencv import cv2
from live_cam.overlay.cards import Scale
from live_cam.overlay.heatmap import to_frame
from live_cam.overlay.layout import percent
from live_cam.overlay.paint import ACCENT, GLASS
from live_cam.overlay.panes import caption, place, tiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from live_cam.explanation import Explanation
    from live_cam.overlay.panes import Painter
    from live_cam.status import Status

_BOX_THRESHOLD = 0.15
"""Of the map's maximum (Selvaraju et al. 2017, section 4.1)."""
_BOX_SIDE = 240
"""Pixels along the longer side of the map in which the box is looked for."""
_MAPS_SHARE = 0.5
"""Of the picture's width that the large pane takes beside the feature maps."""


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

    def pane(
        self,
        heatmap: NDArray[np.float32] | None,
        alpha: float,
        size: tuple[int, int] | None = None,
        *,
        signed: bool = False,
    ) -> NDArray[np.uint8]:
        """Paint the frame with a heatmap on it."""
        said = self.explanation
        return self.painter.paint(
            self.image,
            heatmap,
            alpha,
            size=size,
            signed=signed,
            mirror=self.status.mirror,
            region=said.region if said else WHOLE,
            seen=said.seen if said else WHOLE,
        )

    def canvas(self) -> NDArray[np.uint8]:
        """Return an empty picture of the frame's size."""
        return np.full_like(self.image, GLASS)

    def area(self) -> Rectangle:
        """Return where panes may lie."""
        return Rectangle(0, 0, self.image.shape[1], self.bottom)

    def aspect(self) -> float:
        """Return the frame's width by its height."""
        return float(self.image.shape[1] / self.image.shape[0])

    def scale(self) -> Scale:
        """Return the sizes of text and gaps."""
        return Scale.of(self.image.shape[1], self.image.shape[0])


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
    """The frame, the heatmap and the overlay side by side."""
    said = scene.explanation
    shown = said.heatmap if said else None
    signed = said is not None and said.signed
    label = f"{said.label} {percent(said.score)}" if said else "overlay"
    panes = [
        ("camera", None, 0.0, False),
        (said.title if said else "heatmap", shown, 1.0, signed),
        (label, shown, scene.status.alpha, signed),
    ]
    return _mosaic(scene, panes)


def grid(scene: Scene) -> NDArray[np.uint8]:
    """The frame, and what each method makes of it."""
    said = scene.explanation
    title = f"{said.label} {percent(said.score)}" if said else "camera"
    return _mosaic(scene, [(title, None, 0.0, False), *_every_map(scene)])


def classes(scene: Scene) -> NDArray[np.uint8]:
    """Several classes side by side."""
    said, alpha = scene.explanation, scene.status.alpha
    each = said.of_each_class() if said else ()
    panes: list[_Pane] = [
        (f"{one.label} {percent(one.score)}", one.heatmap, alpha, one.signed) for one in each
    ]
    return _mosaic(scene, panes or [("camera", None, 0.0, False)])


def maps(scene: Scene) -> NDArray[np.uint8]:
    """The strongest feature maps beside one large picture: of one of them, or of their sum."""
    said = scene.explanation
    if said is None or not said.others:
        return _single(scene, scene.status.alpha)
    scale, area, alpha = scene.scale(), scene.area(), scene.status.alpha
    picture = scene.canvas()
    left = area._replace(width=round(_MAPS_SHARE * area.width))
    right = Rectangle(left.width + scale.gap, 0, area.width - left.width - scale.gap, area.height)
    (large,) = tiles(left, 1, scene.aspect(), scale.gap)
    focus = scene.status.focus
    if focus is None or focus >= len(said.others):
        title, shown, signed = f"{said.label} {percent(said.score)}", said.heatmap, said.signed
    else:
        chosen = said.others[focus]
        title, shown, signed = f"feature map {chosen.title}", chosen.heatmap, chosen.signed
    size = large.width, large.height
    place(picture, scene.pane(shown, alpha, size, signed=signed), large)
    caption(picture, title, large, scale)
    places = tiles(right, len(said.others), scene.aspect(), max(1, scale.gap // 2))
    for number, (answer, where) in enumerate(zip(said.others, places, strict=True)):
        size = where.width, where.height
        place(picture, scene.pane(answer.heatmap, alpha, size, signed=answer.signed), where)
        caption(picture, answer.title, where, scale)
        if number == focus:
            corner = where.x + where.width - 1, where.y + where.height - 1
            cv2.rectangle(picture, (where.x, where.y), corner, ACCENT, 2)
    return picture


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

FULL_FRAME: Final = ("overlay", "heatmap", "camera")
"""The views of one picture, over which the label and the bars are laid."""

_Pane = tuple[str, "NDArray[np.float32] | None", float, bool]


def evidence_box(
    heatmap: NDArray[np.float32], width: int, height: int, region: Region = WHOLE
) -> Rectangle | None:
    """Find the box around the largest region above 15 % of the map's maximum.

    Selvaraju et al. 2017, section 4.1 (weakly supervised localisation).

    Args:
        heatmap: h×w float32, of which only what is above 0 counts.
        width: The frame's width in pixels.
        height: Its height in pixels.
        region: Which part of the frame the heatmap covers.

    Returns:
        In pixels of the frame; None where nothing is above 0.
    """
    shrink = min(1.0, _BOX_SIDE / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    laid = to_frame(heatmap, *size, region=region)
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
    shown = said.heatmap if alpha > 0 else None
    picture = scene.pane(shown, alpha, signed=said.signed)
    if scene.status.box:
        _draw_box(picture, said, mirror=scene.status.mirror)
    return picture


def _draw_box(picture: NDArray[np.uint8], said: Explanation, *, mirror: bool) -> None:
    height, width = picture.shape[:2]
    box = evidence_box(said.heatmap, width, height, said.region)
    if box is None:
        return
    x = width - box.x - box.width if mirror else box.x
    corners = (x, box.y), (x + box.width - 1, box.y + box.height - 1)
    thickness = max(2, round(min(width, height) / 240))
    cv2.rectangle(picture, *corners, GLASS, thickness + 2, cv2.LINE_AA)
    cv2.rectangle(picture, *corners, ACCENT, thickness, cv2.LINE_AA)


def _every_map(scene: Scene) -> list[_Pane]:
    said = scene.explanation
    if said is None:
        return []
    alpha = scene.status.alpha
    return [
        (said.title, said.heatmap, alpha, said.signed),
        *((each.title, each.heatmap, alpha, each.signed) for each in said.others),
    ]


def _mosaic(scene: Scene, panes: list[_Pane]) -> NDArray[np.uint8]:
    picture, scale = scene.canvas(), scene.scale()
    places = tiles(scene.area(), len(panes), scene.aspect(), scale.gap)
    for (title, shown, alpha, signed), where in zip(panes, places, strict=True):
        pane = scene.pane(shown, alpha, (where.width, where.height), signed=signed)
        place(picture, pane, where)
        caption(picture, title, where, scale)
    return picture
