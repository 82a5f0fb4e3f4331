"""Files that the program writes: never over another one unasked, and never left empty."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from live_cam.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_output(path: Path, *, overwrite: bool = False) -> None:
    """Check that a file may be written there.

    Args:
        path: The file.
        overwrite: Whether an existing file may be written over.

    Raises:
        UsageError: Its folder is missing, it is a folder itself, or it exists and `overwrite` is
            not set.
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
            raise UsageError(
                f"cannot write {path}: it already exists; "
                "give --overwrite to write over it, or choose another name."
            )
    except OSError as error:
        raise _refusal(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless it is there.

    Raises:
        UsageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(folder, error) from error


def free_path(path: Path) -> Path:
    """The path itself, or the first of `name-2.ending`, `name-3.ending`, … that does not exist."""
    if not os.path.lexists(path):
        return path
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(candidate for candidate in numbered if not os.path.lexists(candidate))


def timed_path(ending: str, folder: Path | None = None) -> Path:
    """A file that does not exist yet, named by the time: `live-cam-20261123-101500.png`.

    Args:
        ending: With its dot.
        folder: Where; None is the working directory.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return free_path((folder or Path()) / f"live-cam-{stamp}{ending}")


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


def _refusal(path: Path, error: OSError) -> UsageError:
    remedy = "choose another place or name"
    if isinstance(error, PermissionError):
        remedy = "choose a folder that you may write to"
    return UsageError(f"cannot write {path}: {error.strerror or error}; {remedy}.")


def recording_error(path: Path, error: Exception) -> RecordingError:
    """What to tell the user when a file that was open for writing failed.

    Args:
        path: The file.
        error: What went wrong.

    Returns:
        The error to raise from it; one sentence with a remedy.
    """
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if number in _DISK_FULL:
        reason = "the disk is full; free some space or choose another disk"
    elif number == errno.ENOENT:
        reason = "it was removed, or its folder was, while it was written; choose another place"
    elif isinstance(error, OSError):
        reason = f"{reason}; check the disk, or choose another one"
    else:
        reason = f"the encoder failed ({reason}); what was written plays, so start a new recording"
    return RecordingError(f"cannot write {path}: {reason}.")


class OutputFile:
    """A file of bytes, unbuffered, that exists from the start and keeps what it replaces.

    It is created exclusively, so that nobody else's file is ever touched. An old file that may be
    written over keeps its contents until the first write, and a new one that is still empty on
    closing is removed again. When a write fails, the file is cut back to the last `commit`,
    and every later write fails too.

    PyAV takes it for a file object (`write`, `seek`, `tell`).

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Create the file, or open the old one without changing it.

        Args:
            path: The file.
            overwrite: Whether an existing file may be written over.

        Raises:
            UsageError: The file must not or cannot be created.
        """
        check_output(path, overwrite=overwrite)
        exclusive = 0 if overwrite else os.O_EXCL
        self.path = path
        self._created = not path.exists()
        self._begun = False
        self._committed = 0
        self._error: OSError | None = None
        try:
            self._file = io.FileIO(
                path,
                "r+b",
                opener=lambda name, flags: os.open(name, flags | os.O_CREAT | exclusive, 0o666),
            )
        except OSError as error:
            raise _refusal(path, error) from error

    def write(self, data: bytes) -> int:
        """Write all of the bytes at the current position.

        Args:
            data: What to write.

        Returns:
            How many bytes were written: all.

        Raises:
            OSError: The disk is full, the file is gone, or an earlier write failed.
        """
        if self._error:
            raise self._error
        try:
            self._begin()
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
            with contextlib.suppress(OSError):
                self._file.truncate(self._committed)
            raise
        return len(data)

    def commit(self) -> None:
        """Note that the file is whole up to the current position."""
        self._committed = self.tell()

    def _begin(self) -> None:
        status = os.fstat(self._file.fileno())
        # Deleting an open file fails on Windows and goes unnoticed elsewhere: the bytes would
        # be written to nowhere until the end.
        if status.st_nlink == 0 and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        if not self._begun and status.st_size:
            self._file.truncate(0)
        self._begun = True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as a file object does, and return it in bytes from the start."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position, in bytes from the start."""
        return self._file.tell()

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file.closed

    def close(self) -> None:
        """Close the file, and remove it if it is new and empty. Idempotent."""
        if self._file.closed:
            return
        empty = os.fstat(self._file.fileno()).st_size == 0
        self._file.close()
        if self._created and empty:
            self.path.unlink(missing_ok=True)
