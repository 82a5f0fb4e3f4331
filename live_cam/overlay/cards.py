"""What each card on the picture looks like. Where it lies is `layout`'s business.

Every function paints one card, and gives back None where it cannot be made to fit its room.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from live_cam.overlay.paint import ACCENT, INK, LIGHT, QUIET_INK, RED, Canvas, Colour, Sprite
from live_cam.overlay.text import cap_height, shorten, text_width

_MIN_TEXT = 12
"""Pixels: below this font size the text is no longer readable."""
_BADGE_SIGNS = ("recording", "frozen")
_EMPTY_BAR_OPACITY = 0.18
_KEYCAP_OPACITY = 0.16


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes that everything on a picture of one size is made of, in pixels."""

    small: int
    """Font size of the status bar, the badges and the second lines."""
    medium: int
    """Font size of messages."""
    large: int
    """Font size of the label."""
    margin: int
    """From the picture's edge to a card."""
    gap: int
    """Between two cards."""
    pad: int
    """From a card's edge to what is in it."""

    @classmethod
    def of(cls, width: int, height: int) -> Scale:
        """Choose the sizes for a picture.

        Args:
            width: The picture's width in pixels.
            height: Its height in pixels, which sets the sizes unless it is a portrait.

        Returns:
            Its sizes.
        """
        unit = min(height, 0.75 * width)
        return cls(
            small=max(_MIN_TEXT, round(0.0215 * unit)),
            medium=max(_MIN_TEXT + 1, round(0.027 * unit)),
            large=max(_MIN_TEXT + 4, round(0.047 * unit)),
            margin=max(4, round(0.022 * unit)),
            gap=max(4, round(0.011 * unit)),
            pad=max(5, round(0.0155 * unit)),
        )


@lru_cache(maxsize=64)
def label_card(
    label: str,
    probability: str,
    share: float,
    notes: tuple[str, ...],
    scale: Scale,
    max_width: int,
) -> Sprite | None:
    """Paint what the network says: the label, its probability, and a bar of it.

    Args:
        label: The explained class's name; shortened where it does not fit.
        probability: Its probability in words, which is never shortened.
        share: Its probability, in [0, 1], for the bar.
        notes: More lines.
        scale: The picture's sizes.
        max_width: The room in pixels.

    Returns:
        The card, or None where not even the probability fits.
    """
    size, pad = scale.large, round(1.3 * scale.pad)
    gap = round(0.7 * size)
    widest = max(text_width("100 %", size), text_width(probability, size))
    label = shorten(label, size, max_width - 2 * pad - gap - widest)
    if not label:
        return None
    widths = [text_width(note, scale.small) for note in notes]
    inner = max(text_width(label, size) + gap + widest, *widths, 9 * size)
    inner = min(inner, max_width - 2 * pad)
    shown = [shorten(note, scale.small, inner) for note in notes]
    bar_height = max(2, round(size / 9))
    baseline = pad + cap_height(size)
    bar_y = baseline + round(0.42 * size)
    bottom = bar_y + bar_height
    pitch = round(0.8 * scale.small) + cap_height(scale.small)
    canvas = Canvas(inner + 2 * pad, bottom + len(shown) * pitch + pad, scale.pad)
    canvas.text(pad, baseline, label, size, INK)
    canvas.text(pad + inner - text_width(probability, size), baseline, probability, size, INK)
    _bar(canvas, pad, bar_y, inner, bar_height, share)
    for row, note in enumerate(shown, start=1):
        canvas.text(pad, bottom + row * pitch, note, scale.small, QUIET_INK)
    return canvas.sprite()


@lru_cache(maxsize=64)
def bars_card(
    entries: tuple[tuple[str, str, float], ...], scale: Scale, width: int
) -> Sprite | None:
    """Paint the most probable classes as bars, with the number of the key that locks each.

    Args:
        entries: Label, probability in words, and in [0, 1]; best first.
        scale: The picture's sizes.
        width: The card's width in pixels.

    Returns:
        The card, or None where it would be too narrow to read, or there is nothing to show.
    """
    size, pad = scale.small, scale.pad
    inner = width - 2 * pad
    number = text_width("0", size) + size // 2
    share_width = max((text_width(words, size) for _, words, _ in entries), default=0)
    room = inner - number - share_width - size // 2
    if not entries or room < 4 * size:
        return None
    bar_height = max(2, size // 6)
    pitch = round(1.3 * size) + bar_height + round(0.45 * size)
    canvas = Canvas(width, len(entries) * pitch + 2 * pad - round(0.45 * size), pad)
    for row, (label, words, share) in enumerate(entries):
        baseline = pad + row * pitch + cap_height(size)
        canvas.text(pad, baseline, str(row + 1), size, QUIET_INK)
        canvas.text(pad + number, baseline, shorten(label, size, room), size, INK)
        canvas.text(pad + inner - text_width(words, size), baseline, words, size, QUIET_INK)
        y = baseline + round(0.4 * size)
        _bar(canvas, pad + number, y, inner - number, bar_height, share)
    return canvas.sprite()


@lru_cache(maxsize=16)
def badge(sign: str, text: str, scale: Scale) -> Sprite:
    """Paint a state that lasts: a sign and a word.

    Args:
        sign: `recording` for a red dot, `frozen` for two upright bars.
        text: What stands beside it.
        scale: The picture's sizes.

    Returns:
        The badge.

    Raises:
        ValueError: There is no such sign.
    """
    if sign not in _BADGE_SIGNS:
        raise ValueError(f"expected a sign of {_BADGE_SIGNS}, got {sign!r}")
    size, pad = scale.small, scale.pad
    side = cap_height(size) + 1
    width = 2 * pad + round(1.6 * side) + text_width(text, size)
    height = cap_height(size) + 2 * pad
    canvas = Canvas(width, height, height / 2)
    if sign == "recording":
        canvas.box(pad, pad, side, side, RED, radius=side / 2)
    else:
        stroke = max(2, round(0.3 * side))
        for x in (pad, pad + side - stroke):
            canvas.box(x, pad, stroke, side - 1, INK)
    canvas.text(pad + round(1.6 * side), pad + cap_height(size), text, size, INK)
    return canvas.sprite()


@lru_cache(maxsize=16)
def pill(text: str, size: int, scale: Scale, max_width: int) -> Sprite | None:
    """Paint a message that passes.

    Args:
        text: The message; shortened where it does not fit.
        size: The font's size in pixels.
        scale: The picture's sizes.
        max_width: The room in pixels.

    Returns:
        The pill, or None where it does not fit.
    """
    pad = round(0.8 * size)
    text = shorten(text, size, max_width - 2 * pad)
    if not text:
        return None
    width = text_width(text, size) + 2 * pad
    above = max(scale.pad, round(0.6 * size))
    height = cap_height(size) + 2 * above
    canvas = Canvas(width, height, height / 2)
    canvas.text(pad, above + cap_height(size), text, size, INK)
    return canvas.sprite()


@lru_cache(maxsize=8)
def status_bar(items: tuple[str, ...], scale: Scale, width: int) -> Sprite | None:
    """Paint the quiet figures at the bottom, in as few rows as they need.

    Args:
        items: What to say; each is shortened where it alone is wider than a row.
        scale: The picture's sizes.
        width: The bar's width in pixels.

    Returns:
        The bar, or None where nothing fits.
    """
    size, pad = scale.small, scale.pad
    inner = width - 2 * pad
    fitting = [text for text in (shorten(item, size, inner) for item in items) if text]
    rows = _rows(fitting, size, inner)
    if not rows:
        return None
    pitch = round(1.55 * size)
    canvas = Canvas(width, cap_height(size) + (len(rows) - 1) * pitch + 2 * pad, pad)
    for number, row in enumerate(rows):
        baseline = pad + cap_height(size) + number * pitch
        for x, text in zip(_spread(row, size, inner), row, strict=True):
            canvas.text(pad + x, baseline, text, size, QUIET_INK)
    return canvas.sprite()


@lru_cache(maxsize=8)
def help_card(
    keys: tuple[tuple[str, str], ...], scale: Scale, max_width: int, max_height: int
) -> Sprite | None:
    """Paint the keys and what they do, in one column or, where that is too high, in two.

    Args:
        keys: Pairs of key and meaning, at least one.
        scale: The picture's sizes.
        max_width: The room in pixels.
        max_height: The room in pixels.

    Returns:
        The card in the largest type that fits, or None where none does.
    """
    for size in range(scale.small + 1, _MIN_TEXT - 4, -1):
        for columns in (1, 2):
            table = _KeyTable(keys, columns, size, scale)
            if table.width <= max_width and table.height <= max_height:
                return table.paint()
    return None


class _KeyTable:
    """The help card's measures in one type size and number of columns."""

    def __init__(
        self, keys: tuple[tuple[str, str], ...], columns: int, size: int, scale: Scale
    ) -> None:
        rows = -(-len(keys) // columns)
        self._columns = [keys[i : i + rows] for i in range(0, len(keys), rows)]
        self._size = size
        self._pad = round(1.6 * scale.pad)
        self._radius = scale.pad
        self._cap_pad = max(3, round(0.55 * size))
        self._pitch = max(size + 4, round(2.0 * size))
        cap_text = max(text_width(key, size) for key, _ in keys)
        self._cap_width = max(cap_text, size) + 2 * self._cap_pad
        meaning = max(text_width(meaning, size) for _, meaning in keys)
        self._column_width = self._cap_width + size + meaning
        self._column_gap = 2 * size
        count = len(self._columns)
        self.width = count * self._column_width + (count - 1) * self._column_gap + 2 * self._pad
        self.height = 2 * self._pad + rows * self._pitch - (self._pitch - self._cap_height)

    @property
    def _cap_height(self) -> int:
        return round(1.6 * self._size)

    def paint(self) -> Sprite:
        canvas = Canvas(self.width, self.height, self._radius)
        for column, entries in enumerate(self._columns):
            x = self._pad + column * (self._column_width + self._column_gap)
            for row, (key, meaning) in enumerate(entries):
                self._entry(canvas, x, self._pad + row * self._pitch, key, meaning)
        return canvas.sprite()

    def _entry(self, canvas: Canvas, x: int, y: int, key: str, meaning: str) -> None:
        size = self._size
        height = self._cap_height
        baseline = y + (height + cap_height(size)) // 2
        radius = 0.25 * height
        canvas.box(x, y, self._cap_width, height, LIGHT, radius=radius, opacity=_KEYCAP_OPACITY)
        inside = (self._cap_width - text_width(key, size)) // 2
        canvas.text(x + inside, baseline, key, size, INK)
        canvas.text(x + self._cap_width + size, baseline, meaning, size, QUIET_INK)


def _bar(
    canvas: Canvas,
    x: int,
    y: int,
    width: int,
    height: int,
    share: float,
    colour: Colour = ACCENT,
) -> None:
    """Paint a horizontal bar of which a share, in [0, 1], is filled."""
    radius = height / 2
    canvas.box(x, y, width, height, LIGHT, radius=radius, opacity=_EMPTY_BAR_OPACITY)
    filled = round(share * width)
    canvas.box(x, y, max(filled, height) if share > 0 else 0, height, colour, radius=radius)


def _rows(items: list[str], size: int, width: int) -> list[list[str]]:
    """Fill rows with as many items as fit, at least two letters' width apart."""
    rows: list[list[str]] = []
    for item in items:
        row = [*rows[-1], item] if rows else [item]
        room = width - sum(text_width(text, size) for text in row) - (len(row) - 1) * 2 * size
        if rows and room >= 0:
            rows[-1] = row
        else:
            rows.append([item])
    return rows


def _spread(row: list[str], size: int, width: int) -> list[int]:
    """Return where each text of a row begins: the first left, the last right, others between.

    The gaps between are equal.
    """
    widths = [text_width(text, size) for text in row]
    gap = (width - sum(widths)) // max(1, len(row) - 1)
    starts = [sum(widths[:place]) + place * gap for place in range(len(row))]
    if len(row) > 1:
        starts[-1] = width - widths[-1]
    return starts
