"""A file that grows: nobody else's, whole up to its last commit, and on the disk each second."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
from typing import TYPE_CHECKING, Final

from live_cam.record.destinations import check_output, refusal
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

_SYNC_SECONDS: Final = 1.0
# What a device, a pipe or a network's file system says that knows no such thing.
_NOT_SYNCED: Final = {errno.EINVAL, errno.ENOTSUP, errno.EROFS}


class OutputFile:
    """A file of bytes, unbuffered, that exists from the start and keeps what it replaces.

    It is created exclusively, so that nobody else's file is ever touched. An old file that may be
    written over keeps its contents until the first write, and a new one that is still empty on
    closing is removed again. When a write fails, the file is cut back to the last `commit`,
    and every later write fails too.

    A killed process loses nothing that was written. So that a power failure does not either, the
    disk is told about every second to keep what it was given, by a thread of its own: whoever
    writes does not wait for that.

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
            NameTakenError: The file exists and `overwrite` is not set.
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
            raise refusal(path, error) from error
        self._syncing: _Syncing | None = None

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
            syncing = self._begin()
            syncing.check()
            if self.tell() < self._committed:
                # A header that tells of what comes after must not be on the disk before it.
                syncing.sync()
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            syncing.due = True
        except OSError as error:
            self._error = error
            with contextlib.suppress(OSError):
                self._file.truncate(self._committed)
            raise
        return len(data)

    def commit(self) -> None:
        """Note that the file is whole up to the current position."""
        self._committed = self.tell()

    def _begin(self) -> _Syncing:
        status = os.fstat(self._file.fileno())
        # Deleting an open file fails on Windows and goes unnoticed elsewhere: the bytes would
        # be written to nowhere until the end.
        if status.st_nlink == 0 and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        if not self._begun and status.st_size:
            self._file.truncate(0)
        self._begun = True
        if self._syncing is None:
            self._syncing = _Syncing(self._file.fileno(), self.path.parent)
        return self._syncing

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
        """Close the file, and remove it if it is new and empty. Idempotent.

        Raises:
            OSError: The disk has not kept what was written; the file is closed all the same.
        """
        if self._file.closed:
            return
        empty = os.fstat(self._file.fileno()).st_size == 0
        try:
            if self._syncing:
                self._syncing.close()
        finally:
            self._file.close()
            # The error's traceback holds the encoder, and its threads, and this file: a cycle.
            self._error = None
            if self._created and empty:
                self.path.unlink(missing_ok=True)


class _Syncing:
    """Has the disk keep what is written to a file, about every second, in a thread of its own.

    Attributes:
        due: Whether something was written since.
    """

    def __init__(self, descriptor: int, folder: Path) -> None:
        self.due = False
        # Of its own, so that nobody closes it while the disk is busy with it.
        self._descriptor = os.dup(descriptor)
        self._folder = folder
        self._named = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._worker = Worker("sync", self._work)
        self._worker.start()

    def check(self) -> None:
        """Raise what the disk said, once.

        Raises:
            OSError: It could not keep what it was given.
        """
        self._worker.check()

    def sync(self) -> None:
        """Wait until the disk keeps all that was written.

        Raises:
            OSError: It cannot.
        """
        with self._lock:
            if not self.due:
                return
            self.due = False
            try:
                # Not all of a file's times, where the system knows the difference.
                getattr(os, "fdatasync", os.fsync)(self._descriptor)
            except OSError as error:
                if error.errno not in _NOT_SYNCED:
                    raise
            if not self._named:
                self._named = True
                _keep_names(self._folder)

    def _work(self) -> None:
        while not self._stop.wait(_SYNC_SECONDS):
            self.sync()

    def close(self) -> None:
        """Sync once more, and end the thread.

        Raises:
            OSError: The disk cannot keep what was written.
        """
        self._stop.set()
        try:
            self.sync()
            self.check()
        finally:
            with self._lock:
                os.close(self._descriptor)


def _keep_names(folder: Path) -> None:
    """Have the disk keep the names in a folder too, where the system has such a thing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
