"""Reading text files from the user in bounded time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 1 << 23
"""More than the names of a million classes take."""


def read_text(path: Path, content: str) -> str:
    """Read a text file.

    Args:
        path: The file.
        content: What the file contains, in the plural, for errors: `labels`.

    Raises:
        UsageError: The file cannot be read, is too large, is not UTF-8, or is not a regular file:
            reading a pipe might block forever.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(
                f"cannot read the {content} {path}: it is not a file; give the path of a text file."
            )
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the {content} {path}: {reason}.") from error
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"the {content} {path} are larger than {_MOST_BYTES >> 20} MB; give a text file with "
            "one entry per line."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the {content} {path} are not UTF-8 text; save the file as UTF-8, with one entry per "
            "line."
        ) from error
