"""Images: a folder of them one after another, or a single one."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from live_cam.capture.base import PacedSource, RawFrame
from live_cam.capture.soundness import is_sound, open_known
from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2
from live_cam.settings import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

HOLD: Final = 2.0
"""Seconds for which each image is shown."""
_RATE: Final = 30
"""Frames per second."""
_ENDINGS: Final = frozenset(
    {
        *(".avif", ".bmp", ".dib", ".hdr", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm", ".pgm"),
        *(".pic", ".png", ".pnm", ".ppm", ".pxm", ".ras", ".sr", ".tif", ".tiff", ".webp"),
    }
)
_MOST_BYTES: Final = 1 << 30
"""More than any image of `MOST_PIXELS` has."""


class Stills(PacedSource):
    """Images, each held for a while at 30 frames per second.

    Attributes:
        skipped: The images that could not be read, so far; each is passed over.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, *, hold: float = HOLD, loop: bool = False
    ) -> None:
        """Read the first image that can be read.

        Args:
            paths: The images, in their order.
            name: What the user knows them as.
            hold: Seconds for which each image is shown, at least one frame; 0: one frame.
            loop: Whether to begin anew after the last one, forever.

        Raises:
            UsageError: None of the images can be read.
        """
        super().__init__(name)
        self.skipped: list[Path] = []
        self._paths = paths
        self._repeats = max(1, round(hold * _RATE))
        self._loop = loop
        self._place = -1
        self._shown = 0
        self._frames = 0
        self._image = self._advance()
        if self._image is None:
            raise UsageError(unreadable(paths))
        height, width = self._image.shape[:2]
        size = f"{width}×{height}"
        if len(paths) > 1:
            size = f"{len(paths)} images, the first {size}"
        self.description = size

    def _next(self) -> RawFrame | None:
        if self._shown == self._repeats:
            self._image = self._advance()
        if self._image is None:
            return None
        opened = RawFrame(self._image, self._frames / _RATE)
        self._shown += 1
        self._frames += 1
        return opened

    def _advance(self) -> NDArray[np.uint8] | None:
        """Read the next image that can be read; None when there is none."""
        self._shown = 0
        if self._loop and len(self._paths) == 1 and self._place == 0:
            return self._image
        for _ in self._paths:
            self._place += 1
            if self._place == len(self._paths):
                if not self._loop:
                    self._place -= 1
                    return None
                self._place = 0
            path = self._paths[self._place]
            image = read_image(path)
            if image is not None:
                return image
            if path not in self.skipped:
                self.skipped.append(path)
                if len(self._paths) > 1:
                    _log.warning("%s is no image that can be read; it is passed over.", path)
        return None

    def _release(self) -> None:
        self._image = None


def open_image(path: Path, *, hold: float = HOLD, loop: bool = False) -> Stills:
    """Open one image.

    Args:
        path: An existing file.
        hold: Seconds for which it is shown; 0: one frame.
        loop: Whether it is shown forever.

    Raises:
        UsageError: It cannot be read.
    """
    return Stills([path], path.name, hold=hold, loop=loop)


def open_folder(folder: Path, *, hold: float = HOLD, loop: bool = False) -> Stills:
    """Open the images in a folder, in the order of their names, where 2 comes before 10.

    Args:
        folder: An existing folder; folders in it are not looked into.
        hold: Seconds for which each image is shown; 0: one frame.
        loop: Whether to begin anew after the last one, forever.

    Raises:
        UsageError: There is no image in it, or none that can be read.
    """
    return Stills(images_in(folder), folder.resolve().name or str(folder), hold=hold, loop=loop)


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder, in the order of their names, where 2 comes before 10.

    Args:
        folder: An existing folder; folders in it are not looked into.

    Raises:
        UsageError: There is no file in it whose name ends as an image's does.
    """
    paths = list_images(folder)
    if not paths:
        raise UsageError(
            f"There is no image in the folder {folder}; give a folder with images directly in "
            "it, such as .jpg or .png."
        )
    return paths


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder as `images_in` does; none where there are none.

    Raises:
        UsageError: The folder may not be read.
    """
    try:
        files = [path for path in folder.iterdir() if is_image(path) and path.is_file()]
    except PermissionError:
        raise UsageError(f"The folder {folder} may not be read; change its permissions.") from None
    # Left out: what begins with a dot, such as the ._ files that macOS leaves on foreign disks.
    return sorted((path for path in files if path.name[0] != "."), key=natural_order)


def is_image(path: Path) -> bool:
    """Return whether a file's name ends as an image's does."""
    return path.suffix.lower() in _ENDINGS


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """Read an image, upright as its EXIF data ask for, and laid on white where it is transparent.

    Args:
        path: An image of any depth and number of channels; in floating point 1 is white.

    Returns:
        H×W×3 BGR; None if the file is no image, is broken or cut off, or has more than
        `settings.MOST_PIXELS`.
    """
    try:
        # A pipe would be waited for, perhaps forever.
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return None
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError:
        return None
    if len(data) > _MOST_BYTES or not is_sound(data):
        return None
    laid = _on_white(data)
    return _decoded(data) if laid is None else laid


def _on_white(data: bytes) -> NDArray[np.uint8] | None:
    """Lay a transparent image on white, as paper is: what it hides is no part of it.

    Returns:
        None where nothing is transparent, or OpenCV alone knows the format.
    """
    try:
        with open_known(data) as opened:
            if not opened.has_transparency_data:
                return None
            upright = _turned(opened).convert("RGBA")
    except UnidentifiedImageError:
        return None
    white = Image.new("RGBA", upright.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, upright).convert("RGB"))
    return np.ascontiguousarray(pixels[..., ::-1])


def _turned(opened: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(opened)
    except Exception:  # Pillow's reader of EXIF data fails on broken ones in any way
        return opened


def _decoded(data: bytes) -> NDArray[np.uint8] | None:
    try:
        # Not `imread`: on Windows it does not find names outside of the system's code page.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:  # it claims to have too many pixels
        return None
    if image is None or image.dtype == np.uint8:
        return cast("NDArray[np.uint8] | None", image)
    if np.issubdtype(image.dtype, np.floating):
        image, white = np.nan_to_num(image).clip(0.0, 1.0), 1.0
    else:
        white = 2.0 ** (8 * image.dtype.itemsize) - 1
    return np.asarray(cv2.convertScaleAbs(image, alpha=255.0 / white), np.uint8)


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts numbers within names by their value."""
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def unreadable(paths: Sequence[Path]) -> str:
    """Say that none of these files is an image that can be read."""
    if len(paths) == 1:
        return (
            f"{paths[0]} is no image that can be read: it is broken, cut off, of an unknown "
            f"format or above {MOST_PIXELS // 10**6} million pixels; check whether another program "
            "shows it, and make it smaller."
        )
    return (
        f"None of the {len(paths)} images in {paths[0].parent} can be read: they are broken, cut "
        f"off, of an unknown format or above {MOST_PIXELS // 10**6} million pixels; check whether "
        "another program shows them, and make them smaller."
    )
