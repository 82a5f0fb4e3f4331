"""The look of an explanation: every choice, default and range of drawing, once.

Settings, live controls and drawing share it, and the command line derives its options from it. It
imports neither torch nor OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from live_cam.errors import UsageError

View = Literal["overlay", "heatmap", "camera", "split", "grid", "classes", "maps"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
FULL_FRAME_VIEWS: Final[tuple[View, ...]] = ("overlay", "heatmap", "camera")
"""The views of a single image. The label and the bars lie on top of it."""
Colormap = Literal[
    "jet", "turbo", "viridis", "inferno", "magma", "plasma", "cividis", "hot", "parula"
]
COLORMAPS: Final[tuple[Colormap, ...]] = get_args(Colormap)
ThemeName = Literal["dark", "light", "none"]
THEMES: Final[tuple[ThemeName, ...]] = get_args(ThemeName)


class Range(NamedTuple):
    """A closed range of valid values."""

    low: float
    high: float


ALPHA: Final = Range(0.0, 1.0)
ALPHA_STEP: Final = 0.05


@dataclass(frozen=True, kw_only=True)  # without slots: the settings inherit from it and another
class Look:
    """The view, its colours, and what is drawn besides the heatmap.

    Raises:
        UsageError: A value is none of the choices, or out of range.
    """

    view: View = "overlay"
    """What is shown, and its arrangement."""
    alpha: float = 0.45
    """Weight of the heatmap's colours in the blended image, in `ALPHA`."""
    colormap: Colormap = "jet"
    """Colours of an unsigned heatmap."""
    theme: ThemeName = "dark"
    """Colours of text and cards."""
    bars: bool = True
    """Whether the most probable classes are shown as bars."""
    box: bool = False
    """Whether a box is drawn around the evidence."""
    mirror: bool = False
    """Whether the image is drawn mirrored. Text is not, and the network sees the original."""

    def __post_init__(self) -> None:
        for kind, choice, choices in (
            ("view", self.view, VIEWS),
            ("colormap", self.colormap, COLORMAPS),
            ("theme", self.theme, THEMES),
        ):
            if choice not in choices:
                listed = ", ".join(choices)
                raise UsageError(f"There is no {kind} {choice!r}; choose one of {listed}.")
        if not ALPHA.low <= self.alpha <= ALPHA.high:
            raise UsageError(
                f"`alpha` must be from {ALPHA.low:g} to {ALPHA.high:g}; got {self.alpha}."
            )
