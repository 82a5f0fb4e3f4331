"""Values that people and accidents may pass to an option."""

from __future__ import annotations

from hypothesis import strategies as st

from live_cam import look, settings
from live_cam.look import Range

NUMBERS = ("nan", "-inf", "1e999", "9" * 5000, "1x1", "1280x720", "16384x16385", "٣x٣", "-0")
NAMES = (*settings.METHODS, *look.VIEWS, *settings.FITS, *settings.DEVICES, *settings.ENGINES)
VALUES = st.one_of(
    # No system passes a NUL in an argument, but any other code point, lone surrogates included.
    st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from((*NUMBERS, *NAMES)),
)


def inside(value: float | None, within: Range) -> bool:
    return value is None or within.low <= value <= within.high
