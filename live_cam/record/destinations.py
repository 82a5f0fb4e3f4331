"""Destinations of output files: nothing is overwritten without permission or left incomplete."""

from __future__ import annotations

import contextlib
import errno
import os
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from live_cam.errors import NameTakenError, RecordingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Created = TypeVar("Created")

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_output(path: Path, *, overwrite: bool = False) -> None:
    """Check that a file can be created at a path.

    Args:
        path: The file.
        overwrite: Whether an existing file may be replaced.

    Raises:
        NameTakenError: The file exists and `overwrite` is not set.
        UsageError: Its folder is missing, or the path is a folder.
    """
    try:
        if not path.parent.is_dir():
            raise UsageError(
                f"cannot write {path}: there is no folder {path.parent}; "
                "create it first, or choose another place."
            )
        if path.is_dir():
            raise UsageError(f"cannot write {path}: it is a folder; name a file in it.")
        if path.exists() and not overwrite:
            raise NameTakenError(
                f"cannot write {path}: it already exists; "
                "give `overwrite` to replace it, or choose another name."
            )
    except OSError as error:
        raise creation_error(path, error) from error


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if they do not exist.

    Raises:
        UsageError: It cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise creation_error(folder, error) from error


def free_path(path: Path) -> Path:
    """Return the path, or the first of `name-2.ending`, `name-3.ending`, … that does not exist."""
    return next(candidate for candidate in _numbered(path) if not os.path.lexists(candidate))


def create_free(path: Path, create: Callable[[Path], Created]) -> Created:
    """Create a file under the first free name, safe against concurrent processes.

    Args:
        path: The preferred name. `name-2.ending`, `name-3.ending`, … follow if it is taken.
        create: Creates a file at the path it receives, or raises `NameTakenError`.

    Returns:
        The result of `create`.
    """
    for candidate in _numbered(path):
        with contextlib.suppress(NameTakenError):
            return create(candidate)
    raise AssertionError("unreachable: the numbers never end")


def timed_name(ending: str) -> Path:
    """Return a file name with the current time: `live-cam-20261123-101500.png`.

    Args:
        ending: The file ending with its dot.
    """
    return Path(f"live-cam-{datetime.now().astimezone():%Y%m%d-%H%M%S}{ending}")


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    yield from (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file completely or not at all.

    Args:
        path: The file. An existing one is replaced.

    Yields:
        A hidden draft beside it with the same ending, to write to. It replaces the file when the
        block succeeds and is removed when the block fails.

    Raises:
        RecordingError: The file cannot be written.
    """
    draft = free_path(path.with_name(f".{path.stem}.part{path.suffix}"))
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise recording_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def creation_error(path: Path, error: OSError) -> UsageError:
    """Return the error to raise when a file or folder could not be created.

    Args:
        path: The file or folder.
        error: The system's error.

    Returns:
        One sentence with a remedy; a `NameTakenError` if the name is taken.
    """
    remedy = "choose another place or name"
    if isinstance(error, PermissionError):
        remedy = "choose a folder with write permission"
    kind = NameTakenError if isinstance(error, FileExistsError) else UsageError
    return kind(f"cannot write {path}: {error.strerror or error}; {remedy}.")


def recording_error(path: Path, error: Exception, kept: str | None = None) -> RecordingError:
    """Return the error to raise when writing to an open file failed.

    Args:
        path: The file.
        error: The failure.
        kept: What remains of the file, such as `the first 12.3 s play`, or None to leave it out.

    Returns:
        One sentence with a remedy.
    """
    brief, remedy = _reason(error)
    failed = f"cannot continue writing {path} ({kept})" if kept else f"cannot write {path}"
    return RecordingError(f"{failed}: {brief}; {remedy}.", brief=brief)


def _reason(error: Exception) -> tuple[str, str]:
    """Return why writing failed and a remedy."""
    number = getattr(error, "errno", None)
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if number in _DISK_FULL:
        return "the disk is full", "free some space or choose another disk"
    if number == errno.ENOENT:
        return "the file or its folder was removed during writing", "choose another place"
    if isinstance(error, OSError):
        return message, "check the disk or choose another one"
    return f"the encoder failed ({message})", "start a new recording"
