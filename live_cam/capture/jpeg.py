"""Detection of truncated JPEGs, whose missing part decoders silently fill with grey."""

from __future__ import annotations

from typing import Final

_END: Final = b"\xff\xd9"
"""The marker EOI (ITU-T T.81, table B.1), which cannot occur within the compressed data."""


class JPEGCheck:
    """Detects truncated JPEGs from one device.

    Some devices never write the end marker. Their files get one appended, and truncation goes
    undetected.
    """

    def __init__(self) -> None:
        """Assume that the device writes no end markers until one arrives."""
        self._writes_end = False

    def completed(self, data: bytes) -> bytes | None:
        """Return a file that decoders accept, or None if the data is known to be truncated."""
        if data.rfind(_END) > 0:
            self._writes_end = True
            return data
        return None if self._writes_end else data + _END
