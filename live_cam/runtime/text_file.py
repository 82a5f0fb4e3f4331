"""Text that a user gives, whoever wrote it: read in bounded time and memory, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 1 << 23
"""More than the names of a million classes take."""


def read_text(path: Path, what: str) -> str:
    """Read a text file.

    Args:
        path: The file.
        what: What is in it, in the plural: `labels`.

    Raises:
        UsageError: It cannot be read, is no file but a folder or a pipe, which might be waited for
            forever, or is too large, or no UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"cannot read the {what} {path}: it is no file; give it by its name.")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the {what} {path}: {reason}.") from error
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"the {what} {path} are larger than {_MOST_BYTES >> 20} MB, which no such list is; "
            "give a text file with one line each."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the {what} {path} are not text in UTF-8; save the file as UTF-8, one line each."
        ) from error
