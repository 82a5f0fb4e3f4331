"""Conflicts between settings of the live loop that are valid one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from live_cam.errors import UsageError
from live_cam.explain.conflicts import check_engine
from live_cam.record.destinations import check_output

if TYPE_CHECKING:
    from live_cam.settings import Settings


def check_live(chosen: Settings) -> None:
    """Reject settings that conflict.

    Raises:
        UsageError: Two settings conflict, or a file would be lost.
    """
    if chosen.every_frame and chosen.source.isdecimal():
        raise UsageError(
            f"`every_frame` does not work with camera {chosen.source}, which never waits; "
            "use it with a video file or images, or leave it out."
        )
    check_engine(chosen)
    if chosen.full_screen and chosen.headless:
        raise UsageError("`full_screen` needs a window and `headless` opens none; leave one out.")
    if chosen.record and chosen.predictions and _same(chosen.record, chosen.predictions):
        raise UsageError(
            f"`record` and `predictions` both name {chosen.record}; give each its own file."
        )
    for written in filter(None, (chosen.record, chosen.predictions)):
        if written.exists() and _same(Path(chosen.source), written):
            raise UsageError(
                f"{written} is the source itself and would be overwritten; choose another file."
            )
        check_output(written, overwrite=chosen.overwrite)


def _same(path: Path, other: Path) -> bool:
    try:
        return path.expanduser().resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # no file can have this name
        return False
