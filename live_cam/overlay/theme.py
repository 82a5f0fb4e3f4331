"""The colours of all that is drawn on and around the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from live_cam.look import ThemeName

Colour = tuple[int, int, int]
"""Blue, green and red, each 0 to 255."""


@dataclass(frozen=True, slots=True)
class Theme:
    """One choice of colours. It can be hashed: painted cards are kept by it."""

    glass: Colour
    """Of cards, of the ground between panes, and of the shadow behind lines and bare text."""
    opacity: float
    """Of the glass, in [0, 1]; 0: there is none, and what is written has a shadow instead."""
    ink: Colour
    """Of what is read first."""
    quiet_ink: Colour
    """Of what is read if one likes to."""
    edge: Colour
    """Of a card's fine edge, of key caps and of the empty part of bars."""
    accent: Colour
    """Of bars and of the box around the evidence."""
    red: Colour
    """Of the sign for a recording."""
    empty: float = 0.18
    """Opacity of the empty part of bars, in [0, 1]."""
    figures: bool = True
    """Whether the figures at the bottom are shown."""


THEMES: Final[dict[ThemeName, Theme]] = {
    "dark": Theme(
        glass=(27, 22, 20),
        opacity=0.8,
        ink=(252, 250, 248),
        quiet_ink=(216, 210, 206),
        edge=(255, 255, 255),
        accent=(191, 212, 45),
        red=(68, 68, 239),
    ),
    "light": Theme(
        glass=(250, 248, 246),
        opacity=0.84,
        ink=(30, 22, 18),
        quiet_ink=(78, 68, 62),
        edge=(0, 0, 0),
        accent=(120, 130, 4),
        red=(38, 38, 220),
    ),
    "none": Theme(
        glass=(20, 16, 14),
        opacity=0.0,
        ink=(255, 255, 255),
        quiet_ink=(255, 255, 255),
        edge=(255, 255, 255),
        accent=(191, 212, 45),
        red=(68, 68, 239),
        empty=0.0,
        figures=False,
    ),
}
"""Every theme by its name."""

MIN_TEXT: Final = 12
"""Pixels: below this font size the text is no longer readable."""


@dataclass(frozen=True, slots=True)
class Style:
    """The colours, and the sizes in pixels, of everything on an image of one size."""

    theme: Theme
    """The colours."""
    small: int
    """Font size of the status bar, the badges and the second lines."""
    medium: int
    """Font size of messages."""
    large: int
    """Font size of the label."""
    margin: int
    """From the image's edge to a card."""
    gap: int
    """Between two cards."""
    pad: int
    """From a card's edge to what is in it."""

    @classmethod
    def of(cls, width: int, height: int, theme: ThemeName) -> Style:
        """Choose the sizes for an image.

        Args:
            width: The image's width in pixels.
            height: Its height in pixels, which sets the sizes unless it is a portrait.
            theme: The name of its colours.

        Returns:
            Its style.
        """
        unit = min(height, 0.75 * width)
        return cls(
            theme=THEMES[theme],
            small=max(MIN_TEXT, round(0.0215 * unit)),
            medium=max(MIN_TEXT + 1, round(0.027 * unit)),
            large=max(MIN_TEXT + 4, round(0.047 * unit)),
            margin=max(4, round(0.022 * unit)),
            gap=max(4, round(0.011 * unit)),
            pad=max(5, round(0.0155 * unit)),
        )
