"""Whether a JPEG file is whole: decoders fill with grey what is cut off, without a word."""

from __future__ import annotations

from typing import Final

_END: Final = b"\xff\xd9"
"""The marker EOI (ITU-T T.81, table B.1), which cannot occur within the compressed data."""


class WholeJPEGs:
    """Tells the whole JPEGs of one device from those that were cut off on their way.

    Some devices never write the end: theirs is added. What is cut off is known of the others only.
    """

    def __init__(self) -> None:
        """Start without knowing the device."""
        self._ends = False

    def mended(self, data: bytes) -> bytes | None:
        """Return a file that decoders take; None if it was cut off, as far as that can be known."""
        if data.rfind(_END) > 0:
            self._ends = True
            return data
        return None if self._ends else data + _END
