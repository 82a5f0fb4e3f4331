"""The layout of the cards on the image. No two overlap, and none crosses the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from live_cam.geometry import Rectangle
from live_cam.look import FULL_FRAME_VIEWS
from live_cam.overlay import cards
from live_cam.overlay.key_card import help_card
from live_cam.overlay.theme import Style
from live_cam.overlay.words import clock, engine, entries, label_text, rates

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.overlay.cards import BadgeSign
    from live_cam.overlay.paint import Sprite
    from live_cam.overlay.status import Status

CardName = Literal[
    "help", "recording", "frozen", "randomised", "label", "bars", "status", "toast", "notice"
]

_NO_ROOM_FOR_KEYS = "image too small for the keys; see the README"
_NOTICE_HEIGHT = 0.78
"""Bottom of a notice, as a share of the image's height."""
_MAX_LABEL_SHARE = 0.6
_MAX_LABEL_TEXT = 22
"""The label card is at most this share of the image's width, or this many times its font size,
whichever is more."""
_MIN_LABEL_SHARE = 0.5
"""Share of the image's width. If the badges leave the label less, it goes below them."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A card and its place."""

    name: CardName
    sprite: Sprite
    """The painted card."""
    rectangle: Rectangle
    """Its place in the image."""


class Layout:
    """The cards placed on an image so far.

    Earlier cards take precedence: a card that would overlap one of them or cross the image's edge
    is left out.

    Args:
        width: The image's width in pixels.
        height: Its height in pixels.
        style: Its style.
        margin: Pixels between its edge and a card.
    """

    def __init__(self, width: int, height: int, style: Style, margin: int) -> None:
        self.width = width
        self.height = height
        self.style = style
        self.margin = margin
        self.placed: list[Placed] = []

    @property
    def room(self) -> int:
        """The width between the left and the right margin, in pixels."""
        return self.width - 2 * self.margin

    def place(self, name: CardName, sprite: Sprite | None, x: int, y: int) -> Rectangle | None:
        """Put a card at a place, if it is free.

        Args:
            name: The card's name.
            sprite: The painted card; None is left out.
            x: The column of its left edge.
            y: The row of its upper edge.

        Returns:
            Its place, or None if it was left out.
        """
        if sprite is None:
            return None
        rectangle = Rectangle(x, y, sprite.width, sprite.height)
        inside = 0 <= x <= self.width - sprite.width and 0 <= y <= self.height - sprite.height
        if not inside or any(rectangle.overlaps(other.rectangle) for other in self.placed):
            return None
        self.placed.append(Placed(name, sprite, rectangle))
        return rectangle

    def place_centred(self, name: CardName, sprite: Sprite | None, bottom: int) -> Rectangle | None:
        """Put a card in the horizontal centre, if it is free.

        Args:
            name: The card's name.
            sprite: The painted card; None is left out.
            bottom: The row below its lowest one.

        Returns:
            Its place, or None if it was left out.
        """
        if sprite is None:
            return None
        return self.place(name, sprite, (self.width - sprite.width) // 2, bottom - sprite.height)


def lay_out(
    width: int, height: int, explanation: Explanation | None, status: Status
) -> list[Placed]:
    """Paint the cards of an image, and place them.

    Args:
        width: The image's width in pixels.
        height: Its height in pixels.
        explanation: The explanation, or None if there is none yet.
        status: What else is shown.

    Returns:
        The cards; none overlaps another or crosses the edge. If the image is too small for all of
        them, the least important ones are missing.
    """
    style = Style.of(width, height, status.look.theme)
    layout = Layout(width, height, style, style.margin)
    _place_help(layout, status)
    below_badges, left_of_badges = _place_badges(layout, explanation, status)
    label = None
    if explanation is not None and status.look.view in FULL_FRAME_VIEWS:
        label = _place_label(layout, explanation, below_badges, left_of_badges, status)
    bottom = _place_status(layout, status)
    if explanation is not None and label is not None and status.look.bars:
        _place_bars(layout, explanation, label)
    _place_messages(layout, status, bottom)
    return layout.placed


def lay_out_label(
    width: int, height: int, explanation: Explanation, status: Status, style: Style
) -> list[Placed]:
    """Paint the label's cards, and place them in a part of an image.

    Args:
        width: The part's width in pixels.
        height: Its height in pixels.
        explanation: The explanation.
        status: What else is shown.
        style: The whole image's style.

    Returns:
        As `lay_out`, with places relative to the part's upper left corner.
    """
    layout = Layout(width, height, style, 0)
    label = _place_label(layout, explanation, 0, width, status)
    if label is not None and status.look.bars:
        _place_bars(layout, explanation, label)
    return layout.placed


def _place_help(layout: Layout, status: Status) -> None:
    if status.keys:
        room = layout.height - 2 * layout.margin
        style = layout.style
        card = help_card(status.keys, style, layout.room, room) or cards.pill(
            _NO_ROOM_FOR_KEYS, style.small, style, layout.room
        )
        if card is not None:
            layout.place_centred("help", card, (layout.height + card.height) // 2)


def _place_badges(
    layout: Layout, explanation: Explanation | None, status: Status
) -> tuple[int, int]:
    """Place the badges in the upper right; return the row below them and their left edge."""
    style = layout.style
    badges: list[tuple[BadgeSign, str]] = []
    if status.recording is not None:
        badges.append(("recording", clock(status.recording)))
    if status.frozen:
        badges.append(("frozen", "frozen"))
    if explanation is not None and explanation.randomised:
        badges.append(("randomised", "weights randomised {}/{}".format(*explanation.randomised)))
    x, bottom = layout.width - layout.margin, layout.margin
    for name, text in badges:
        sprite = cards.badge(name, text, style)
        placed = layout.place(name, sprite, x - sprite.width, layout.margin)
        if placed is not None:
            x, bottom = placed.x - style.gap, placed.y + placed.height + style.gap
    return bottom, x


def _place_label(
    layout: Layout,
    explanation: Explanation,
    below_badges: int,
    left_of_badges: int,
    status: Status,
) -> Rectangle | None:
    """Place the label in the upper left, beside the badges or, if it is narrow there, below."""
    style = layout.style
    top, room = layout.margin, left_of_badges - layout.margin
    if room < _MIN_LABEL_SHARE * layout.width:
        top, room = below_badges, layout.room
    room = min(room, max(round(_MAX_LABEL_SHARE * layout.width), _MAX_LABEL_TEXT * style.large))
    card = None
    for check in (explanation.check, None):
        words, shares, lines = label_text(explanation, check, status)
        card = card or cards.label_card(explanation.label, words, shares, lines, style, room)
    return layout.place("label", card, layout.margin, top)


def _place_bars(layout: Layout, explanation: Explanation, label: Rectangle) -> None:
    """Place the bars of the most probable classes below the label, if there is room."""
    width = min(label.width, layout.room)
    card = cards.bars_card(entries(explanation), layout.style, width)
    layout.place("bars", card, label.x, label.y + label.height + layout.style.gap)


def _place_status(layout: Layout, status: Status) -> int:
    """Place the status bar at the bottom; return the row above which other cards must end."""
    style = layout.style
    bottom = layout.height - layout.margin
    if not style.theme.figures:
        return bottom
    items = tuple(item for item in (rates(status), engine(status), status.source) if item)
    for count in range(len(items), 0, -1):
        bar = cards.status_bar(items[:count], style, layout.room)
        if bar is not None:
            placed = layout.place("status", bar, layout.margin, bottom - bar.height)
            if placed is not None:
                return placed.y - style.gap
    return bottom


def _place_messages(layout: Layout, status: Status, bottom: int) -> None:
    """Place the confirmation above the status bar, and the notice above both."""
    style = layout.style
    if status.confirmation:
        toast = cards.pill(status.confirmation, style.small, style, layout.room)
        placed = layout.place_centred("toast", toast, bottom)
        bottom = placed.y - style.gap if placed is not None else bottom
    if status.notice:
        notice = cards.pill(status.notice, style.medium, style, layout.room)
        layout.place_centred("notice", notice, min(bottom, round(_NOTICE_HEIGHT * layout.height)))
