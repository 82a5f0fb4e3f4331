"""A growing output file that survives crashes, full disks and power failures."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
from typing import TYPE_CHECKING, Final

from live_cam.record.destinations import check_output, creation_error
from live_cam.runtime.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

_SYNC_SECONDS: Final = 1.0
# Errors of devices, pipes and network file systems that do not support syncing.
_NOT_SYNCED: Final = {errno.EINVAL, errno.ENOTSUP, errno.EROFS}


class OutputFile:
    """An unbuffered binary file.

    It is created exclusively, so no other program's file is ever touched. A file to be replaced
    keeps its contents until the first write, and a new file that is still empty is removed on
    closing. If a write fails, the file is truncated to the last `commit`, and every later write
    fails too.

    If the process is killed, nothing written is lost. For power failures, a separate thread syncs
    the file to the disk about once a second, without blocking `write`.

    PyAV accepts it as a file object (`write`, `seek`, `tell`).

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Create the file, or open an existing one without changing it.

        Args:
            path: The file.
            overwrite: Whether an existing file may be replaced.

        Raises:
            NameTakenError: The file exists and `overwrite` is not set.
            UsageError: The file cannot be created.
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
            raise creation_error(path, error) from error
        self._syncing: _Syncing | None = None

    def write(self, data: bytes) -> int:
        """Write all bytes at the current position.

        Args:
            data: The bytes.

        Returns:
            The number of bytes, as a file object's `write` does.

        Raises:
            OSError: The disk is full, the file is gone, or an earlier write failed.
        """
        if self._error:
            raise self._error
        try:
            syncing = self._begin()
            syncing.check()
            if self.tell() < self._committed:
                # A header must not reach the disk before the data that it describes.
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
        """Mark the file as complete up to the current position."""
        self._committed = self.tell()

    def _begin(self) -> _Syncing:
        status = os.fstat(self._file.fileno())
        # Deleting an open file fails on Windows, but elsewhere nothing reports it: all further
        # bytes would be lost.
        if status.st_nlink == 0 and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        if not self._begun and status.st_size:
            self._file.truncate(0)
        self._begun = True
        if self._syncing is None:
            self._syncing = _Syncing(self._file.fileno(), self.path.parent)
        return self._syncing

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position like a file object, and return it in bytes from the start."""
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
            OSError: The disk did not keep everything. The file is closed nevertheless.
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
    """Syncs a file to the disk about once a second, in a separate thread.

    Attributes:
        due: Whether anything was written since the last sync.
    """

    def __init__(self, descriptor: int, folder: Path) -> None:
        self.due = False
        # A duplicate, so that it cannot be closed while a sync is running.
        self._descriptor = os.dup(descriptor)
        self._folder = folder
        self._names_synced = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._worker = Worker("sync", self._work)
        self._worker.start()

    def check(self) -> None:
        """Raise the thread's error, once.

        Raises:
            OSError: A sync failed.
        """
        self._worker.check()

    def sync(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            OSError: The sync failed.
        """
        with self._lock:
            if not self.due:
                return
            self.due = False
            try:
                # Without the file's times, if the system makes the difference.
                getattr(os, "fdatasync", os.fsync)(self._descriptor)
            except OSError as error:
                if error.errno not in _NOT_SYNCED:
                    raise
            if not self._names_synced:
                self._names_synced = True
                _sync_names(self._folder)

    def _work(self) -> None:
        while not self._stop.wait(_SYNC_SECONDS):
            self.sync()

    def close(self) -> None:
        """Sync once more and end the thread.

        Raises:
            OSError: The sync failed.
        """
        self._stop.set()
        try:
            self.sync()
            self.check()
        finally:
            with self._lock:
                os.close(self._descriptor)


def _sync_names(folder: Path) -> None:
    """Sync the names in a folder as well, if the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
