"""Finding images by files, folders and patterns."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from live_cam.errors import UsageError, first_line, shortened
from live_cam.runtime.user_path import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUFFIXES: Final = frozenset(
    {
        *(".avif", ".bmp", ".dib", ".hdr", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pfm", ".pgm"),
        *(".pic", ".png", ".pnm", ".ppm", ".pxm", ".ras", ".sr", ".tif", ".tiff", ".webp"),
    }
)


def find_images(paths: Sequence[str]) -> list[Path]:
    """Find the images that a user names, without duplicates, in the order given.

    Args:
        paths: Files with any suffix; folders, whose images follow in natural order and whose
            subfolders are ignored; and patterns such as `photos/**/*.jpg`, for shells that do not
            expand them.

    Raises:
        UsageError: One of them matches nothing.
    """
    images: dict[Path, Path] = {}
    for given in paths:
        for path in _matches(given):
            images.setdefault(path.resolve(), path)
    return list(images.values())


def _matches(given: str) -> list[Path]:
    path = existing_path(given)
    if path:
        return images_in(path) if path.is_dir() else [path]
    # `Path.glob` accepts no absolute patterns.
    matches = glob.glob(str(expanded(given)), recursive=True)  # noqa: PTH207
    files = sorted((path for path in map(Path, matches) if path.is_file()), key=_folder_order)
    if files:
        return files
    raise UsageError(
        f"no file matches {shortened(given)!r}; check the folder name and the file extension."
    )


def existing_path(given: str) -> Path | None:
    """Return the file or folder that a user names, or None if the text is a pattern.

    Raises:
        UsageError: It is neither.
    """
    path, shown = expanded(given), shortened(given)
    try:
        path.stat()
    except FileNotFoundError:
        if glob.has_magic(given):
            return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{shown!r} cannot be the name of an image: {first_line(error)}."
        ) from error
    else:
        return path
    raise UsageError(
        f"there is no file or folder {shown!r}; give images, folders of images, or patterns "
        "such as 'photos/*.jpg'."
    )


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder, sorted by name in natural order (2 before 10).

    Args:
        folder: An existing folder; its subfolders are ignored.

    Raises:
        UsageError: The folder contains no file with an image's suffix, or may not be read.
    """
    paths = list_images(folder)
    if not paths:
        raise UsageError(
            f"There is no image in the folder {folder}; give a folder that directly contains "
            "images, such as .jpg or .png files."
        )
    return paths


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder as `images_in` does, or an empty list.

    Raises:
        UsageError: The folder may not be read.
    """
    try:
        files = [path for path in folder.iterdir() if is_image(path) and path.is_file()]
    except PermissionError:
        raise UsageError(
            f"no permission to read the folder {folder}; change its permissions."
        ) from None
    # Hidden files include the ._ files that macOS leaves on foreign disks.
    return sorted((path for path in files if path.name[0] != "."), key=natural_order)


def is_image(path: Path) -> bool:
    """Return whether a file name has an image's suffix."""
    return path.suffix.lower() in _SUFFIXES


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that orders the numbers in names by value."""
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _folder_order(path: Path) -> tuple[Path, tuple[list[tuple[int, str]], str]]:
    return path.parent, natural_order(path)
