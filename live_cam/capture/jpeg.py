"""Whether a JPEG file is whole: decoders fill with grey what is cut off, without a word."""

from __future__ import annotations

from typing import Final

_END: Final = b"\xff\xd9"
"""The marker EOI (ITU-T T.81, table B.1), which cannot occur within the compressed data."""


class WholeJPEGs:
    """Tells the whole JPEGs of one device from those that were cut off on their way.

    Some devices never write the end. What is cut off is known only from those that do.
    """

    def __init__(self) -> None:
        """Start without knowing the device."""
        self._ends = False

    def whole(self, data: bytes) -> bool:
        """Return whether a file's bytes are complete, as far as that can be known."""
        ends = data.rfind(_END) > 0
        self._ends = self._ends or ends
        return ends or not self._ends
