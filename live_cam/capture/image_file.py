"""Whether an image's file is whole, and no bomb: a few bytes that unpack to gigabytes."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL import Image, UnidentifiedImageError

from live_cam.settings import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORMATS: Final = (
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"),
)
_MOST_JPEG_WORK: Final = 1 << 31
"""Scans times pixels. A progressive JPEG has up to 15 scans, each of which goes over all pixels."""
_JPEG_SEGMENT: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker. Within a scan 255 is followed by 0, and by 208 to 215 where decoding can restart."""
_BEGIN: Final = 16
"""Bytes, by which Pillow tells formats apart."""
_WITHOUT_LENGTH: Final = (0x01, 0xD8)
_SCAN: Final = 0xDA
_END: Final = 0xD9


def is_sound(data: bytes) -> bool:
    """Return whether an image is complete and of a bearable size, if Pillow knows its format.

    OpenCV 4 fills what is missing with grey.

    Args:
        data: What is in its file.
    """
    try:
        with open_known(data) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS or _scans(data) * pixels > _MOST_JPEG_WORK:
                return False
            image.load()
    except UnidentifiedImageError:
        return bool(data) and not _looks_known(data)
    except Exception:  # Pillow's readers fail on broken files in any way
        return False
    return True


@contextmanager
def open_known(data: bytes) -> Iterator[Image.Image]:
    """Open an image by Pillow, if it is of a format that OpenCV reads, too; without warnings.

    Raises:
        UnidentifiedImageError: It is of none of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data), formats=_formats()) as image:
            yield image


@cache
def _formats() -> tuple[str, ...]:
    """Return those that OpenCV reads, too, as far as this Pillow has them.

    Not all that it knows: it would run what a PostScript file says.
    """
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _looks_known(data: bytes) -> bool:
    """Whether it begins as Pillow's formats do: then it is broken, and not one of OpenCV's own.

    But for TIFF: Pillow knows few of its kinds, and OpenCV refuses what is cut off itself.
    """
    begins = (Image.OPEN[name][1] for name in _formats() if name != "TIFF")
    return any(begin(data[:_BEGIN].ljust(_BEGIN, b"\0")) for begin in begins if begin)


def _scans(data: bytes) -> int:
    """Return how many times a JPEG's decoder goes over the image; 0 for other formats."""
    if not data.startswith(b"\xff\xd8"):
        return 0
    count = place = 0
    while (found := _JPEG_SEGMENT.search(data, place)) and found[1][0] != _END:
        marker, place = found[1][0], found.end()
        count += marker == _SCAN
        if marker not in _WITHOUT_LENGTH:
            place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return count
