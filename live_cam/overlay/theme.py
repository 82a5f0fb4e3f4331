"""Themes: the colours of everything on and around the image; and styles: its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from live_cam.look import ThemeName

Colour = tuple[int, int, int]
"""Blue, green and red, each 0 to 255."""


@dataclass(frozen=True, slots=True)
class Theme:
    """A set of colours. It is hashable, as a key of cached cards."""

    glass: Colour
    """Colour of cards, of the space between panes, and of shadows behind lines and bare text."""
    opacity: float
    """Opacity of the glass, in [0, 1]. At 0 there is none, and text has a shadow instead."""
    ink: Colour
    """Primary text."""
    quiet_ink: Colour
    """Secondary text."""
    edge: Colour
    """A card's thin edge, key caps and the empty part of bars."""
    accent: Colour
    """Bars, and the box around the evidence."""
    red: Colour
    """The recording sign, and a peak outside the user's box."""
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
"""Pixels. Smaller text is unreadable."""


@dataclass(frozen=True, slots=True)
class Style:
    """Colours, and sizes in pixels, for images of one size."""

    theme: Theme
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
    """From a card's edge to its content."""

    @classmethod
    def of(cls, width: int, height: int, theme: ThemeName) -> Style:
        """Return the style for an image.

        Args:
            width: The image's width in pixels.
            height: Its height in pixels, which determines the sizes unless it is a portrait.
            theme: The theme's name.
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
