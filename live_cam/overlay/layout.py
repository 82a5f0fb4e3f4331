"""Where each card lies on the picture. No two overlap, and none reaches over the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from live_cam.geometry import Rectangle
from live_cam.overlay import cards
from live_cam.overlay.cards import Scale

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.overlay.paint import Sprite
    from live_cam.status import Status

_NOTICE_HEIGHT = 0.78
"""Where a notice ends, as a share of the picture's height."""
_MAX_LABEL_SHARE = 0.6
_MAX_LABEL_TEXT = 22
"""The label card is at most this share of the picture's width, or this many times its font size:
whichever is more."""
_MIN_LABEL_SHARE = 0.5
"""Of the picture's width: where the badges leave the label less, it goes below them."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A card and its place."""

    name: str
    """What it is: `help`, `recording`, `frozen`, `label`, `status`, `toast` or `notice`."""
    sprite: Sprite
    """The painted card."""
    rectangle: Rectangle
    """Where it lies in the picture."""


class Layout:
    """The cards placed on a picture so far.

    What comes first has its place for sure: a card that would overlap an earlier one or reach
    over the picture's edge is left out.

    Args:
        width: The picture's width in pixels.
        height: Its height in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.scale = Scale.of(width, height)
        self.placed: list[Placed] = []

    @property
    def room(self) -> int:
        """The width between the left and the right margin, in pixels."""
        return self.width - 2 * self.scale.margin

    def place(self, name: str, sprite: Sprite | None, x: int, y: int) -> Rectangle | None:
        """Put a card at a place, where it is free.

        Args:
            name: What it is.
            sprite: The painted card; None is left out.
            x: The column of its left edge.
            y: The row of its upper edge.

        Returns:
            Where it lies; None if it was left out.
        """
        if sprite is None:
            return None
        rectangle = Rectangle(x, y, sprite.width, sprite.height)
        inside = 0 <= x <= self.width - sprite.width and 0 <= y <= self.height - sprite.height
        if not inside or any(rectangle.overlaps(other.rectangle) for other in self.placed):
            return None
        self.placed.append(Placed(name, sprite, rectangle))
        return rectangle

    def place_centred(self, name: str, sprite: Sprite | None, bottom: int) -> Rectangle | None:
        """Put a card in the middle between left and right, where it is free.

        Args:
            name: What it is.
            sprite: The painted card; None is left out.
            bottom: The row below its lowest one.

        Returns:
            Where it lies; None if it was left out.
        """
        if sprite is None:
            return None
        return self.place(name, sprite, (self.width - sprite.width) // 2, bottom - sprite.height)


def lay_out(
    width: int, height: int, explanation: Explanation | None, status: Status
) -> list[Placed]:
    """Paint the cards that a picture needs, and give each its place.

    Args:
        width: The picture's width in pixels.
        height: Its height in pixels.
        explanation: What the network says; None: nothing yet.
        status: What is said about the run.

    Returns:
        The cards, none overlapping another or the picture's edge. Where the picture is too
        small for all, those for the least important things are missing.
    """
    layout = Layout(width, height)
    _place_help(layout, status)
    below_badges, left_of_badges = _place_badges(layout, status)
    label = None
    if explanation is not None:
        label = _place_label(layout, explanation, below_badges, left_of_badges, status)
    bottom = _place_status(layout, status)
    if explanation is not None and label is not None and status.bars:
        _place_bars(layout, explanation, label)
    _place_messages(layout, status, bottom)
    return layout.placed


def _place_help(layout: Layout, status: Status) -> None:
    if status.keys:
        room = layout.height - 2 * layout.scale.margin
        card = cards.help_card(status.keys, layout.scale, layout.room, room)
        if card is not None:
            layout.place_centred("help", card, (layout.height + card.height) // 2)


def _place_badges(layout: Layout, status: Status) -> tuple[int, int]:
    """Place the badges in the upper right; return the row below them and their left edge."""
    scale = layout.scale
    badges = []
    if status.recording is not None:
        badges.append(("recording", clock(status.recording)))
    if status.frozen:
        badges.append(("frozen", "frozen"))
    x, bottom = layout.width - scale.margin, scale.margin
    for name, text in badges:
        sprite = cards.badge(name, text, scale)
        placed = layout.place(name, sprite, x - sprite.width, scale.margin)
        if placed is not None:
            x, bottom = placed.x - scale.gap, placed.y + placed.height + scale.gap
    return bottom, x


def _place_label(
    layout: Layout,
    explanation: Explanation,
    below_badges: int,
    left_of_badges: int,
    status: Status,
) -> Rectangle | None:
    """Place the label in the upper left, beside the badges or, where it is narrow, below."""
    scale = layout.scale
    top, room = scale.margin, left_of_badges - scale.margin
    if room < _MIN_LABEL_SHARE * layout.width:
        top, room = below_badges, layout.room
    room = min(room, max(round(_MAX_LABEL_SHARE * layout.width), _MAX_LABEL_TEXT * scale.large))
    shown = percent(explanation.score)
    share = round(max(0.0, min(1.0, explanation.score)), 2)
    notes = _notes(explanation, status)
    card = cards.label_card(explanation.label, shown, share, notes, scale, room)
    return layout.place("label", card, scale.margin, top)


def _notes(explanation: Explanation, status: Status) -> tuple[str, ...]:
    """Write what must be known to read the label and the heatmap right, a line each."""
    first = ["locked"] if status.locked else []
    if explanation.title != "gradcam":
        first.append(explanation.title)
    best = explanation.top[0] if explanation.top else None
    if best and best.class_index != explanation.class_index:
        first.append(f"top: {best.label} {percent(best.score)}")
    lines = [" · ".join(first)] if first else []
    check = explanation.check
    if check:
        lines.append(
            f"{percent(check.before)} → {percent(check.without)} without the hot spot, "
            f"{percent(check.alone)} with only it"
        )
    if explanation.shuffled:
        done, layers = explanation.shuffled
        lines.append(f"weights shuffled in {done} of {layers} layers")
    return tuple(lines)


def _place_bars(layout: Layout, explanation: Explanation, label: Rectangle) -> None:
    """Place the most probable classes below the label, where there is room."""
    width = min(label.width, layout.room)
    card = cards.bars_card(entries(explanation), layout.scale, width)
    layout.place("bars", card, label.x, label.y + label.height + layout.scale.gap)


def _place_status(layout: Layout, status: Status) -> int:
    """Place the status bar at the bottom; return the row below which nothing else may lie."""
    scale = layout.scale
    bottom = layout.height - scale.margin
    items = tuple(item for item in (rates(status), engine(status), status.source) if item)
    for count in range(len(items), 0, -1):
        bar = cards.status_bar(items[:count], scale, layout.room)
        if bar is not None:
            placed = layout.place("status", bar, scale.margin, bottom - bar.height)
            if placed is not None:
                return placed.y - scale.gap
    return bottom


def _place_messages(layout: Layout, status: Status, bottom: int) -> None:
    """Place the toast above the status bar, and the notice above both."""
    scale = layout.scale
    if status.confirmation:
        toast = cards.pill(status.confirmation, scale.small, scale, layout.room)
        placed = layout.place_centred("toast", toast, bottom)
        bottom = placed.y - scale.gap if placed is not None else bottom
    if status.notice:
        notice = cards.pill(status.notice, scale.medium, scale, layout.room)
        layout.place_centred("notice", notice, min(bottom, round(_NOTICE_HEIGHT * layout.height)))


def entries(explanation: Explanation) -> tuple[tuple[str, str, float], ...]:
    """Return the most probable classes as `cards.bars_card` takes them, best first."""
    return tuple(
        (each.label, percent(each.score), round(each.score, 2)) for each in explanation.top
    )


def percent(score: float) -> str:
    """Write a probability.

    Args:
        score: In [0, 1].

    Returns:
        It in whole percent; what is more than nothing is never written as 0.
    """
    return "<1 %" if 0 < score < 0.005 else f"{100 * score:.0f} %"


def clock(seconds: float) -> str:
    """Write a duration.

    Args:
        seconds: At least 0.

    Returns:
        Minutes and seconds: `mm:ss`.
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def rates(status: Status) -> str:
    """Write how fast the run is; what is not known yet is left out.

    Args:
        status: The run's figures.

    Returns:
        For example `30 fps shown · 6.1 explanations/s · 0.15 s old`.
    """
    parts = []
    if status.shown_fps is not None:
        parts.append(f"{_rate(status.shown_fps)} fps shown")
    if status.explained_fps is not None:
        parts.append(f"{_rate(status.explained_fps)} explanations/s")
    if status.age is not None:
        parts.append(f"{status.age:.2f} s old" + (", nothing changed" if status.still else ""))
    if status.saved and status.still:
        parts.append(f"{status.saved} explanations saved")
    return " · ".join(parts)


def engine(status: Status) -> str:
    """Write what computes the explanations.

    Args:
        status: The run's figures.

    Returns:
        For example `vgg19 · features.35 · cpu fp32`.
    """
    return " · ".join(part for part in (status.network, status.engine) if part)


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:.0f}"
