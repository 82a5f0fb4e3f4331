"""Settings of `live-cam video` that are valid alone but not together."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from live_cam.errors import UsageError
from live_cam.record.destinations import check_output

if TYPE_CHECKING:
    from live_cam.settings import VideoSettings


def check_video(chosen: VideoSettings) -> None:
    """Reject settings that contradict each other.

    Raises:
        UsageError: Two settings contradict each other, or a file would be lost.
    """
    if chosen.output.exists() and chosen.output.samefile(chosen.input):
        raise UsageError(
            f"{chosen.output} is the input video itself and would be lost; write to another file."
        )
    start, end = chosen.start or Fraction(0), chosen.end
    if end is not None and end <= start:
        raise UsageError(
            f"`end={float(end):g}` is not after `start={float(start):g}`; give a later `end`."
        )
    check_output(chosen.output, overwrite=chosen.overwrite)
