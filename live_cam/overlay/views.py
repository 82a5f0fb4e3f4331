"""The views of an explanation. Each composes panes; none depends on another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.geometry import WHOLE, Rectangle, Region
from live_cam.overlay.boxes import draw_box, draw_evidence_box, draw_target
from live_cam.overlay.layout import lay_out_label
from live_cam.overlay.panes import canvas, caption, featured, place, tiles
from live_cam.overlay.theme import Style
from live_cam.overlay.words import headline, map_title

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.explanation import Explanation, Heatmap
    from live_cam.look import View
    from live_cam.overlay.painter import Painter
    from live_cam.overlay.status import Status


class Drawn(NamedTuple):
    """A drawn image, and the places of its panes."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    panes: tuple[Region, ...] = ()
    """The places of single feature maps in shares of the image, the strongest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that a view draws from."""

    image: NDArray[np.uint8]
    """H×W×3, BGR: the frame."""
    explanation: Explanation | None
    status: Status
    bottom: int
    """The row at which the status bar begins, or the image ends."""
    painter: Painter

    def paint(
        self, heatmap: Heatmap | None, alpha: float, size: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """Paint the frame with a heatmap on it."""
        explanation = self.explanation
        return self.painter.paint(
            self.image,
            heatmap,
            replace(self.status.look, alpha=alpha),
            size=size,
            region=explanation.region if explanation else WHOLE,
            seen=explanation.seen if explanation else WHOLE,
        )

    def canvas(self) -> NDArray[np.uint8]:
        """Return an empty image of the frame's size."""
        return canvas(self.image, self.style().theme.glass)

    def area(self) -> Rectangle:
        """Return the area for panes."""
        gap = self.style().gap
        width, height = self.image.shape[1] - 2 * gap, self.bottom - 2 * gap
        return Rectangle(gap, gap, max(1, width), max(1, height))

    def aspect(self) -> float:
        """Return the frame's width by its height."""
        return float(self.image.shape[1] / self.image.shape[0])

    def style(self) -> Style:
        """Return the colours, and the sizes of text and gaps."""
        return Style.of(self.image.shape[1], self.image.shape[0], self.status.look.theme)


class _Pane(NamedTuple):
    """A title, a map and the weight of its colours; without a map, the frame alone."""

    title: str
    heatmap: Heatmap | None = None
    alpha: float = 0.0


def overlay(scene: Scene) -> Drawn:
    """The heatmap's colours over the frame."""
    return _single(scene, scene.status.look.alpha)


def heatmap(scene: Scene) -> Drawn:
    """The heatmap's colours alone."""
    return _single(scene, 1.0)


def camera(scene: Scene) -> Drawn:
    """The frame alone."""
    return _single(scene, 0.0)


def split(scene: Scene) -> Drawn:
    """The frame, the heatmap, the overlay and the label's cards, side by side."""
    explanation, alpha = scene.explanation, scene.status.look.alpha
    shown = explanation.maps[0] if explanation else None
    panes = [
        _Pane("camera"),
        _Pane(shown.title if shown else "heatmap", shown, 1.0),
        _Pane("overlay", shown, alpha),
    ]
    image, style = scene.canvas(), scene.style()
    *places, free = tiles(scene.area(), len(panes) + 1, scene.aspect(), style.gap)
    _fill(scene, image, panes, places)
    if explanation:
        for card in lay_out_label(free.width, free.height, explanation, scene.status, style):
            card.sprite.paste(image, free.x + card.rectangle.x, free.y + card.rectangle.y)
    return Drawn(image)


def grid(scene: Scene) -> Drawn:
    """The frame, and the heatmap of each method."""
    explanation, alpha = scene.explanation, scene.status.look.alpha
    maps = explanation.maps if explanation else ()
    title = headline(explanation) if explanation else "camera"
    return _mosaic(scene, [_Pane(title), *(_Pane(map_title(each), each, alpha) for each in maps)])


def classes(scene: Scene) -> Drawn:
    """Several classes side by side."""
    explanation, alpha = scene.explanation, scene.status.look.alpha
    explanations = explanation.split_by_class() if explanation else ()
    panes = [_Pane(headline(each), each.maps[0], alpha) for each in explanations]
    return _mosaic(scene, panes or [_Pane("camera")])


def maps(scene: Scene) -> Drawn:
    """The strongest feature maps beside one large image: of one of them, or of their sum."""
    explanation = scene.explanation
    if explanation is None:
        return _mosaic(scene, [_Pane("camera")])
    style, alpha, focus = scene.style(), scene.status.look.alpha, scene.status.focus
    whole = _Pane(headline(explanation), explanation.maps[0], alpha)
    feature_maps = [each for each in explanation.maps if each.feature_map is not None]
    if not feature_maps:  # yet: the explanation belongs to an earlier question
        return _mosaic(scene, [whole])
    small = [_Pane(map_title(each), each, alpha) for each in feature_maps]
    large, places = featured(scene.area(), scene.aspect(), style.gap)
    image = scene.canvas()
    if focus is not None and focus < len(small):
        enlarged = small[focus]._replace(title=f"feature map {small[focus].title}")
        _fill(scene, image, [enlarged, *small], [large, *places])
        draw_box(image, places[focus], style.theme, style.theme.accent)
    else:
        _fill(scene, image, [whole, *small], [large, *places])
    height, width = image.shape[:2]
    return Drawn(image, tuple(each.shares(width, height) for each in places[: len(small)]))


VIEWS: Final[dict[View, Callable[[Scene], Drawn]]] = {
    "overlay": overlay,
    "heatmap": heatmap,
    "camera": camera,
    "split": split,
    "grid": grid,
    "classes": classes,
    "maps": maps,
}
"""Every view by its name."""


def _single(scene: Scene, alpha: float) -> Drawn:
    explanation, status = scene.explanation, scene.status
    if explanation is None:
        return Drawn(scene.paint(None, alpha))
    image = scene.paint(explanation.maps[0] if alpha > 0 else None, alpha)
    if status.look.box:
        draw_evidence_box(image, explanation, status.look)
    if status.target:
        draw_target(image, explanation, status.target, status.look)
    return Drawn(image)


def _mosaic(scene: Scene, panes: Sequence[_Pane]) -> Drawn:
    image = scene.canvas()
    places = tiles(scene.area(), len(panes), scene.aspect(), scene.style().gap)
    _fill(scene, image, panes, places)
    return Drawn(image)


def _fill(
    scene: Scene, image: NDArray[np.uint8], panes: Sequence[_Pane], places: Sequence[Rectangle]
) -> None:
    """Paint panes into their places. Surplus places stay empty."""
    for pane, where in zip(panes, places, strict=False):
        place(image, scene.paint(pane.heatmap, pane.alpha, (where.width, where.height)), where)
        caption(image, pane.title, where, scene.style())
