"""Reading image files safely: damaged files and decompression bombs are rejected.

A decompression bomb is a file of a few bytes that expands to gigabytes.
"""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from live_cam.runtime.opencv import cv2
from live_cam.settings import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_MOST_BYTES: Final = 1 << 30
"""More than any image of `MOST_PIXELS` takes."""
_FORMATS: Final = (
    *("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"),
)
_MOST_JPEG_WORK: Final = 1 << 31
"""Scans times pixels. A progressive JPEG usually has up to 15 scans, each over all pixels."""
_JPEG_SEGMENT: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker. Within a scan 255 is followed by 0, and by 208 to 215 where decoding can restart."""
_SIGNATURE_BYTES: Final = 16
"""Bytes from which Pillow recognises a format."""
_WITHOUT_LENGTH: Final = (0x01, 0xD8)
_SCAN: Final = 0xDA
_END: Final = 0xD9


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """Read an image, rotated upright by its EXIF data, and on white where it is transparent.

    Args:
        path: An image of any depth and number of channels; in floating point, 1 is white.

    Returns:
        H×W×3 BGR, or None if the file is not an image, is damaged or truncated, or has more than
        `settings.MOST_PIXELS`.
    """
    try:
        # Reading a pipe might block forever.
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError:
        return None
    if len(data) > _MOST_BYTES or not _is_intact(data):
        return None
    composited = _laid_on_white(data)
    return _decoded(data) if composited is None else composited


def unreadable(paths: Sequence[Path]) -> str:
    """Return the message for files of which none is a readable image."""
    limit = MOST_PIXELS // 10**6
    if len(paths) == 1:
        return (
            f"{paths[0]} is not a readable image: it is damaged, truncated, of an unknown format "
            f"or larger than {limit} million pixels; check whether another program can open it, "
            "or make it smaller."
        )
    return (
        f"None of the {len(paths)} images in {paths[0].parent} is readable: they are damaged, "
        f"truncated, of an unknown format or larger than {limit} million pixels; check whether "
        "another program can open them, or make them smaller."
    )


def _is_intact(data: bytes) -> bool:
    """Return whether an image is complete and of acceptable size, if Pillow knows its format.

    OpenCV 4 would fill missing parts with grey.
    """
    try:
        with _opened(data) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS or _scans(data) * pixels > _MOST_JPEG_WORK:
                return False
            image.load()
    except UnidentifiedImageError:
        return bool(data) and not _has_known_signature(data)
    except Exception:  # on damaged files Pillow may raise anything
        return False
    return True


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Open an image with Pillow, without warnings, if OpenCV reads its format as well.

    Raises:
        UnidentifiedImageError: The format is unknown to either.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data), formats=_formats()) as image:
            yield image


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that OpenCV and this Pillow both read.

    Further formats of Pillow are excluded, since it would execute a PostScript file.
    """
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _has_known_signature(data: bytes) -> bool:
    """Whether the data starts like one of Pillow's formats, and so must be damaged.

    Except TIFF: Pillow supports few of its variants, and OpenCV itself rejects truncated files.
    """
    checks = (Image.OPEN[name][1] for name in _formats() if name != "TIFF")
    start = data[:_SIGNATURE_BYTES].ljust(_SIGNATURE_BYTES, b"\0")
    return any(accepts(start) for accepts in checks if accepts)


def _scans(data: bytes) -> int:
    """Return the number of scans that a JPEG's decoder makes, or 0 for other formats."""
    if not data.startswith(b"\xff\xd8"):
        return 0
    count = position = 0
    while (match := _JPEG_SEGMENT.search(data, position)) and match[1][0] != _END:
        marker, position = match[1][0], match.end()
        count += marker == _SCAN
        if marker not in _WITHOUT_LENGTH:
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return count


def _laid_on_white(data: bytes) -> NDArray[np.uint8] | None:
    """Composite a transparent image on white, since its hidden colours are not part of it.

    Returns:
        None if nothing is transparent, or only OpenCV knows the format.
    """
    try:
        with _opened(data) as image:
            if not image.has_transparency_data:
                return None
            rgb = on_white(upright(image))
    except UnidentifiedImageError:
        return None
    return np.ascontiguousarray(rgb[..., ::-1])


def on_white(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image composited on white where it is transparent: H×W×3 uint8, RGB."""
    opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.array(opaque.convert("RGB"))


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF data say, or unchanged if they are damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # on damaged EXIF data Pillow may raise anything
        return image


def _decoded(data: bytes) -> NDArray[np.uint8] | None:
    try:
        # Not `imread`, which on Windows cannot open names outside the system's code page.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:  # it claims too many pixels
        return None
    if image is None or image.dtype == np.uint8:
        return cast("NDArray[np.uint8] | None", image)
    if np.issubdtype(image.dtype, np.floating):
        image, white = np.nan_to_num(image).clip(0.0, 1.0), 1.0
    else:
        white = 2.0 ** (8 * image.dtype.itemsize) - 1
    return np.asarray(cv2.convertScaleAbs(image, alpha=255.0 / white), np.uint8)
