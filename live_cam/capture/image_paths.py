"""Which images are meant by files, folders and patterns."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from live_cam.capture.stills import images_in, natural_order
from live_cam.errors import UsageError, first_line, shortened
from live_cam.runtime.user_path import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence


def find_images(paths: Sequence[str]) -> list[Path]:
    """Find the images that the user means, each once, in the order they were named.

    Args:
        paths: Files, whatever they are called; folders, whose images are taken in the order of
            their names, and which are not looked into any deeper; and patterns such as
            `photos/**/*.jpg`, for shells that do not resolve them.

    Raises:
        UsageError: One of them means nothing that is there.
    """
    found: dict[Path, Path] = {}
    for given in paths:
        for path in _meant(given):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _meant(given: str) -> list[Path]:
    path = named(given)
    if path:
        return images_in(path) if path.is_dir() else [path]
    # `Path.glob` takes no absolute patterns.
    matching = glob.glob(str(expanded(given)), recursive=True)  # noqa: PTH207
    files = sorted((path for path in map(Path, matching) if path.is_file()), key=_by_folder)
    if files:
        return files
    raise UsageError(
        f"no file matches {shortened(given)!r}; look at the folder's name and the ending."
    )


def named(given: str) -> Path | None:
    """Return the file or folder that the user named; None: it is a pattern.

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


def _by_folder(path: Path) -> tuple[Path, tuple[list[tuple[int, str]], str]]:
    return path.parent, natural_order(path)
