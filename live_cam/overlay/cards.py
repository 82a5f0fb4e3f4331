"""The cards on the image. `layout` decides where each one lies.

Every function paints one card, or returns None if it does not fit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from live_cam.overlay.paint import Canvas, Sprite
from live_cam.overlay.text import cap_height, shorten, text_width

if TYPE_CHECKING:
    from live_cam.overlay.theme import Style

BadgeSign = Literal["recording", "frozen", "randomised"]
_LOST_OPACITY = 0.4
"""Opacity of the part of a bar that is lost without the hot spot."""


@lru_cache(maxsize=64)
def label_card(
    label: str,
    probability: str,
    shares: tuple[float, ...],
    lines: tuple[tuple[str, bool], ...],
    style: Style,
    max_width: int,
) -> Sprite | None:
    """Paint the explained class: its label, its probability, and a bar.

    Args:
        label: The class's name; shortened if it does not fit.
        probability: Its probability as text, never shortened.
        shares: Its probability in [0, 1], for the bar; then the part of it that remains, if any.
        lines: Further lines: each a text, and whether it is as prominent as the label.
        style: The image's style.
        max_width: The available width in pixels.

    Returns:
        The card, or None if not even the probability fits.
    """
    size, pad = style.large, round(1.3 * style.pad)
    gap = round(0.7 * size)
    widest = max(text_width("100 %", size), text_width(probability, size))
    label = shorten(label, size, max_width - 2 * pad - gap - widest)
    if not label:
        return None
    written = [(text, style.medium if first else style.small, first) for text, first in lines]
    widths = [text_width(text, line_size) for text, line_size, _ in written]
    inner = max(text_width(label, size) + gap + widest, *widths, 9 * size)
    inner = min(inner, max_width - 2 * pad)
    bar_height = max(2, round(size / 9))
    baseline = pad + cap_height(size)
    bar_y = baseline + round(0.42 * size)
    bottom = bar_y + bar_height
    below = [round(0.8 * line_size) + cap_height(line_size) for _, line_size, _ in written]
    canvas = Canvas(inner + 2 * pad, bottom + sum(below) + pad, style.pad, style.theme)
    ink, quiet = style.theme.ink, style.theme.quiet_ink
    canvas.text(pad, baseline, label, size, ink)
    canvas.text(pad + inner - text_width(probability, size), baseline, probability, size, ink)
    _bar(canvas, pad, bar_y, inner, bar_height, *shares)
    for (text, line_size, first), height in zip(written, below, strict=True):
        bottom += height
        shown = shorten(text, line_size, inner)
        canvas.text(pad, bottom, shown, line_size, ink if first else quiet)
    return canvas.sprite()


@lru_cache(maxsize=64)
def bars_card(
    entries: tuple[tuple[str, str, float], ...], style: Style, width: int
) -> Sprite | None:
    """Paint the most probable classes as bars, each with the key that locks it.

    Args:
        entries: Label, probability as text, and in [0, 1]; best first.
        style: The image's style.
        width: The card's width in pixels.

    Returns:
        The card, or None if it would be too narrow to read, or there are no entries.
    """
    size, pad = style.small, round(1.3 * style.pad)
    inner = width - 2 * pad
    number = text_width("0", size) + size // 2
    share_width = max((text_width(words, size) for _, words, _ in entries), default=0)
    room = inner - number - share_width - size // 2
    if not entries or room < 4 * size:
        return None
    bar_height = max(3, size // 6)
    pitch = round(1.3 * size) + bar_height + round(0.45 * size)
    canvas = Canvas(width, len(entries) * pitch + 2 * pad - round(0.45 * size), pad, style.theme)
    for row, (label, words, share) in enumerate(entries):
        baseline = pad + row * pitch + cap_height(size)
        canvas.text(pad, baseline, str(row + 1), size, style.theme.quiet_ink)
        canvas.text(pad + number, baseline, shorten(label, size, room), size, style.theme.ink)
        canvas.text(
            pad + inner - text_width(words, size), baseline, words, size, style.theme.quiet_ink
        )
        y = baseline + round(0.4 * size)
        _bar(canvas, pad + number, y, inner - number, bar_height, share)
    return canvas.sprite()


@lru_cache(maxsize=16)
def badge(sign: BadgeSign, text: str, style: Style) -> Sprite:
    """Paint a badge for a lasting state: a sign and a text.

    Args:
        sign: `recording` is a red dot, `frozen` two upright bars, `randomised` scattered squares.
        text: The text beside the sign.
        style: The image's style.
    """
    size, pad = style.small, style.pad
    side = cap_height(size) + 1
    width = 2 * pad + round(1.6 * side) + text_width(text, size)
    height = cap_height(size) + 2 * pad
    canvas = Canvas(width, height, height / 2, style.theme)
    if sign == "recording":
        canvas.box(pad, pad, side, side, style.theme.red, radius=side / 2)
    elif sign == "randomised":
        dot = max(2, round(0.4 * side))
        for across, down in ((0.0, 1.0), (0.5, 0.0), (1.0, 0.6)):
            x, y = round(across * (side - dot)), round(down * (side - dot))
            canvas.box(pad + x, pad + y, dot, dot, style.theme.ink)
    else:
        stroke = max(2, round(0.3 * side))
        for x in (pad, pad + side - stroke):
            canvas.box(x, pad, stroke, side - 1, style.theme.ink)
    canvas.text(pad + round(1.6 * side), pad + cap_height(size), text, size, style.theme.ink)
    return canvas.sprite()


@lru_cache(maxsize=16)
def pill(text: str, size: int, style: Style, max_width: int) -> Sprite | None:
    """Paint a line of text on a rounded card.

    Args:
        text: The text; shortened if it does not fit.
        size: The font's size in pixels.
        style: The image's style.
        max_width: The available width in pixels.

    Returns:
        The card, or None if it does not fit.
    """
    pad = round(0.8 * size)
    text = shorten(text, size, max_width - 2 * pad)
    if not text:
        return None
    width = text_width(text, size) + 2 * pad
    above = max(style.pad, round(0.6 * size))
    height = cap_height(size) + 2 * above
    canvas = Canvas(width, height, height / 2, style.theme)
    canvas.text(pad, above + cap_height(size), text, size, style.theme.ink)
    return canvas.sprite()


@lru_cache(maxsize=8)
def status_bar(items: tuple[str, ...], style: Style, width: int) -> Sprite | None:
    """Paint the figures at the bottom, in as few rows as possible.

    Args:
        items: The texts; each is shortened if it is wider than a row.
        style: The image's style.
        width: The bar's width in pixels.

    Returns:
        The bar, or None if nothing fits.
    """
    size, pad = style.small, style.pad
    inner = width - 2 * pad
    fitting = [text for text in (shorten(item, size, inner) for item in items) if text]
    rows = _rows(fitting, size, inner)
    if not rows:
        return None
    pitch = round(1.55 * size)
    canvas = Canvas(width, cap_height(size) + (len(rows) - 1) * pitch + 2 * pad, pad, style.theme)
    for number, row in enumerate(rows):
        baseline = pad + cap_height(size) + number * pitch
        for x, text in zip(_spread(row, size, inner), row, strict=True):
            canvas.text(pad + x, baseline, text, size, style.theme.quiet_ink)
    return canvas.sprite()


def _bar(
    canvas: Canvas,
    x: int,
    y: int,
    width: int,
    height: int,
    share: float,
    remains: float | None = None,
) -> None:
    """Paint a horizontal bar, filled by a share in [0, 1]; what does not remain of it is faint."""
    theme = canvas.theme
    parts = [(width, theme.edge, theme.empty), (_filled(share, width, height), theme.accent, 1.0)]
    if remains is not None:
        parts[1] = parts[1][0], theme.accent, _LOST_OPACITY
        parts.append((_filled(remains, width, height), theme.accent, 1.0))
    for length, colour, opacity in parts:
        canvas.box(x, y, length, height, colour, radius=height / 2, opacity=opacity)


def _filled(share: float, width: int, height: int) -> int:
    return max(round(share * width), height) if share > 0 else 0


def _rows(items: list[str], size: int, width: int) -> list[list[str]]:
    """Fill rows with as many items as fit, at least twice the font's size apart."""
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
    """Return the column at which each text of a row begins: justified, with equal gaps."""
    widths = [text_width(text, size) for text in row]
    gap = (width - sum(widths)) // max(1, len(row) - 1)
    starts = [sum(widths[:place]) + place * gap for place in range(len(row))]
    if len(row) > 1:
        starts[-1] = width - widths[-1]
    return starts
