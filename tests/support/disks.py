"""Full disks."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any


def fill(disk: Path, room: int) -> None:
    """Fill a disk up to so many free bytes."""
    with (disk / "full").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - room)


class SmallDisk(io.FileIO):
    """A file on a disk with room for a few bytes, which it still writes."""

    room = 0

    def write(self, data: Any) -> int:
        rest = self.room - self.tell()
        if rest <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:rest])
