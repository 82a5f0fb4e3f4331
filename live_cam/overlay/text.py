"""Antialiased text in any script.

The font is the one inside Pillow, so that images look the same on every machine. It covers Latin
only: other characters use a system font, or a substitute in this font.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BUILT_IN = ""
_FALLBACKS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "DroidSansFallbackFull.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "AppleSDGothicNeo.ttc",
    "msyh.ttc",
    "malgun.ttf",
)
"""File names of common fonts on Linux, macOS and Windows, in the order they are tried."""
_FALLBACK_SCALE = 0.94
"""These fonts appear larger than the built-in one at the same size."""
_SUBSTITUTES = {"×": "x", "→": ">", "←": "<", "–": "-", "—": "-", "−": "-", "’": "'", "‘": "'"}
_ELLIPSIS = "…"
_OVERHANG = 2
"""Pixels of padding on both sides of a text, for glyphs wider than their advance."""
_NO_GLYPH = "\uffff"
"""A code point without a character: fonts draw their sign for a missing glyph."""


class TextMask(NamedTuple):
    """A drawn text."""

    coverage: NDArray[np.uint8]
    """H×W: how much of each pixel is covered, 0 to 255."""
    left: int
    """The column at which the text begins."""
    baseline: int
    """The row on which the letters stand."""


def text_width(text: str, size: int) -> int:
    """Return the width of a text in pixels.

    Args:
        text: One line.
        size: The font's size in pixels.
    """
    return sum(_advance(name, run, size) for name, run in _runs(text))


def shorten(text: str, size: int, width: int) -> str:
    """Shorten a text with an ellipsis to fit a width.

    Args:
        text: One line.
        size: The font's size in pixels.
        width: The available width in pixels.

    Returns:
        The text if it fits; otherwise the longest beginning that fits with an ellipsis, or an empty
        string if not even the ellipsis fits.
    """
    if text_width(text, size) <= width:
        return text
    fits, too_long = -1, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if text_width(_cut(text, middle), size) <= width:
            fits = middle
        else:
            too_long = middle
    return _cut(text, fits) if fits >= 0 else ""


@lru_cache(maxsize=256)
def text_mask(text: str, size: int) -> TextMask:
    """Draw a text. Drawings are cached.

    Args:
        text: One line. Line breaks count as spaces; characters that no font has appear as boxes.
        size: The font's size in pixels.

    Returns:
        Its mask, of the same height for every text of that size. Do not write to it.
    """
    baseline = round(1.1 * size)
    width = text_width(text, size) + 2 * _OVERHANG
    canvas = Image.new("L", (width, round(1.5 * size)))
    pen = ImageDraw.Draw(canvas)
    x = _OVERHANG
    for name, run in _runs(text):
        pen.text((x, baseline), run, fill=255, font=_font(name, size), anchor="ls")
        x += _advance(name, run, size)
    return TextMask(np.asarray(canvas), _OVERHANG, baseline)


@lru_cache(maxsize=64)
def cap_height(size: int) -> int:
    """Return the height of capitals and digits in pixels.

    Args:
        size: The font's size in pixels.
    """
    return round(-_font(_BUILT_IN, size).getbbox("H", anchor="ls")[1])


def _cut(text: str, length: int) -> str:
    return text[:length].rstrip(" ,·-") + _ELLIPSIS


def _clean(text: str) -> str:
    """Return a text as one printable line; file names may contain invalid bytes."""
    line = " ".join(text.encode(errors="replace").decode().split())
    composed = unicodedata.normalize("NFC", line)
    return "".join(c for c in composed if unicodedata.category(c) not in {"Cc", "Cf"})


@lru_cache(maxsize=512)
def _runs(text: str) -> tuple[tuple[str, str], ...]:
    """Split a text into runs that one font can draw, each with the font's name.

    A word with a letter that the built-in font lacks is drawn entirely in a font that has it: two
    fonts in one word would look like a mistake.
    """
    runs: list[tuple[str, str]] = []
    for word in re.findall(r" |[^ ]+", _clean(text)):
        missing = [c for c in word if not _covers(_BUILT_IN, c)]
        name = _font_for(word) if any(c.isalpha() for c in missing) else None
        if name is not None or not missing:
            runs.append((name or _BUILT_IN, word))
        else:
            runs.extend(_character(c) for c in word)
    return tuple(runs)


@lru_cache(maxsize=1024)
def _advance(name: str, run: str, size: int) -> int:
    """Return the advance of a run, in whole pixels, so that gaps do not vary."""
    if run == " ":
        # The built-in font's own space is so narrow that small words run together.
        return round(0.22 * size + 1)
    return round(_font(name, size).getlength(run))


def _character(character: str) -> tuple[str, str]:
    """Return a font for one character, or a substitute in the built-in font."""
    if _covers(_BUILT_IN, character):
        return _BUILT_IN, character
    name = _font_for(character)
    if name is not None:
        return name, character
    substitute = _SUBSTITUTES.get(character, unicodedata.normalize("NFKD", character)[0])
    return _BUILT_IN, substitute if _covers(_BUILT_IN, substitute) else character


@lru_cache(maxsize=1024)
def _font_for(characters: str) -> str | None:
    """Return the first system font that has all these characters, or None."""
    for name in _FALLBACKS:
        if _is_installed(name) and all(_covers(name, c) for c in characters):
            return name
    return None


@lru_cache(maxsize=len(_FALLBACKS))
def _is_installed(name: str) -> bool:
    try:
        _font(name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=4096)
def _covers(name: str, character: str) -> bool:
    font = _font(name, 16)
    glyph, sign = font.getmask(character), font.getmask(_NO_GLYPH)
    return (glyph.size, bytes(glyph)) != (sign.size, bytes(sign))


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    if name:
        return ImageFont.truetype(name, round(_FALLBACK_SCALE * size))
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow was built without FreeType
        raise TypeError("expected Pillow's TrueType font, got its bitmap font: reinstall Pillow")
    return font
