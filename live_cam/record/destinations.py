"""Files that the program writes: never over another one unasked, and never left empty."""

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
    """Check that a file may be written there.

    Args:
        path: The file.
        overwrite: Whether an existing file may be written over.

    Raises:
        NameTakenError: It exists and `overwrite` is not set.
        UsageError: Its folder is missing, or it is a folder itself.
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
                "give --overwrite to write over it, or choose another name."
            )
    except OSError as error:
        raise refusal(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless it is there.

    Raises:
        UsageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(folder, error) from error


def free_path(path: Path) -> Path:
    """The path itself, or the first of `name-2.ending`, `name-3.ending`, … that does not exist."""
    return next(each for each in _numbered(path) if not os.path.lexists(each))


def create_free(path: Path, create: Callable[[Path], Created]) -> Created:
    """Create a file under the first free name, whoever else looks for one at the same moment.

    Args:
        path: The name; `name-2.ending`, `name-3.ending`, … where it is taken.
        create: Creates the file that it is given, or raises `NameTakenError`.

    Returns:
        What `create` gave back.
    """
    for each in _numbered(path):
        with contextlib.suppress(NameTakenError):
            return create(each)
    raise AssertionError("numbers do not end")


def timed_name(ending: str) -> Path:
    """A name for a file by the time: `live-cam-20261123-101500.png`.

    Args:
        ending: With its dot.
    """
    return Path(f"live-cam-{datetime.now().astimezone():%Y%m%d-%H%M%S}{ending}")


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    yield from (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Have a file written wholly or not at all.

    Args:
        path: The file; what is there is replaced.

    Yields:
        A hidden file beside it, of the same ending, to write to. It takes the file's place when the
        block ends well, and is removed when it does not.

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


def refusal(path: Path, error: OSError) -> UsageError:
    """What to tell the user when a file could not be created.

    Args:
        path: The file.
        error: What the system said.

    Returns:
        The error to raise from it; a `NameTakenError` where somebody else has the name.
    """
    remedy = "choose another place or name"
    if isinstance(error, PermissionError):
        remedy = "choose a folder that you may write to"
    kind = NameTakenError if isinstance(error, FileExistsError) else UsageError
    return kind(f"cannot write {path}: {error.strerror or error}; {remedy}.")


def recording_error(path: Path, error: Exception, kept: str | None = None) -> RecordingError:
    """What to tell the user when a file that was open for writing failed.

    Args:
        path: The file.
        error: What went wrong.
        kept: What is left of it: `first 12.3 s play`; None: nothing is said about it.

    Returns:
        The error to raise from it; one sentence with a remedy.
    """
    brief, remedy = _reason(error)
    begin = f"cannot go on writing {path}, whose {kept}" if kept else f"cannot write {path}"
    return RecordingError(f"{begin}: {brief}; {remedy}.", brief=brief)


def _reason(error: Exception) -> tuple[str, str]:
    """Return why writing failed, and what would help."""
    number = getattr(error, "errno", None)
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if number in _DISK_FULL:
        return "the disk is full", "free some space or choose another disk"
    if number == errno.ENOENT:
        return "it was removed, or its folder was, while it was written", "choose another place"
    if isinstance(error, OSError):
        return said, "check the disk, or choose another one"
    return f"the encoder failed ({said})", "what was written plays, so start a new recording"
