"""The card of keys and their meanings. It also shows a class's name while it is typed."""

from __future__ import annotations

from functools import lru_cache

from live_cam.overlay.paint import Canvas, Sprite
from live_cam.overlay.text import cap_height, text_width
from live_cam.overlay.theme import MIN_TEXT, Style

_KEYCAP_OPACITY = 0.16


@lru_cache(maxsize=8)
def help_card(
    keys: tuple[tuple[str, str], ...], style: Style, max_width: int, max_height: int
) -> Sprite | None:
    """Paint keys and their meanings, in one column or, if that is too high, in two.

    Args:
        keys: Pairs of key and meaning, at least one; without a key, only the meaning is shown.
        style: The image's style.
        max_width: The available width in pixels.
        max_height: The available height in pixels.

    Returns:
        The card in the largest type that fits, or None if none does.
    """
    for size in range(style.small + 1, MIN_TEXT - 4, -1):
        for columns in (1, 2):
            table = _KeyTable(keys, columns, size, style)
            if table.width <= max_width and table.height <= max_height:
                return table.paint()
    return None


class _KeyTable:
    """The card's measures for one font size and number of columns."""

    def __init__(
        self, keys: tuple[tuple[str, str], ...], columns: int, size: int, style: Style
    ) -> None:
        rows = -(-len(keys) // columns)
        self._columns = [keys[i : i + rows] for i in range(0, len(keys), rows)]
        self._size = size
        self._pad = round(1.6 * style.pad)
        self._radius = style.pad
        self._theme = style.theme
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
        canvas = Canvas(self.width, self.height, self._radius, self._theme)
        for column, entries in enumerate(self._columns):
            x = self._pad + column * (self._column_width + self._column_gap)
            for row, (key, meaning) in enumerate(entries):
                self._entry(canvas, x, self._pad + row * self._pitch, key, meaning)
        return canvas.sprite()

    def _entry(self, canvas: Canvas, x: int, y: int, key: str, meaning: str) -> None:
        size, height = self._size, self._cap_height
        baseline = y + (height + cap_height(size)) // 2
        if key:
            edge, radius = self._theme.edge, 0.25 * height
            canvas.box(x, y, self._cap_width, height, edge, radius=radius, opacity=_KEYCAP_OPACITY)
            inside = (self._cap_width - text_width(key, size)) // 2
            canvas.text(x + inside, baseline, key, size, self._theme.ink)
        canvas.text(x + self._cap_width + size, baseline, meaning, size, self._theme.quiet_ink)
