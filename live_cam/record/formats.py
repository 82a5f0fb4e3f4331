"""Video containers, each with the options that keep it playable after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.errors import UsageError
from live_cam.record.template import codec_of, holds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from live_cam.record.template import Template


class VideoFormat(NamedTuple):
    """A container and how to keep it playable at any moment."""

    name: str
    """FFmpeg's name for the muxer."""
    rate: int
    """Ticks per second of its timestamps."""
    options: Mapping[str, str]
    """Options of the muxer."""
    longest_gap: int | None = None
    """The most ticks between two images, or None if there is no limit."""
    timed: bool = True
    """Whether it stores a timestamp for each image."""


# Fragments of half a second while recording and one ordinary index on closing, because some players
# and editors do not support fragments. The header is delayed until the first fragment: before, the
# start of each stream is unknown.
_FRAGMENTS: Final = {
    "movflags": "+hybrid_fragmented+frag_keyframe+delay_moov+default_base_moof",
    "frag_duration": "500000",
}

FORMATS: Final[Mapping[str, VideoFormat]] = {
    ".mp4": VideoFormat("mp4", 90_000, _FRAGMENTS),
    ".mov": VideoFormat("mov", 90_000, _FRAGMENTS),
    ".mkv": VideoFormat("matroska", 1_000, {"cluster_time_limit": "500"}),
    # AVI has no timestamps, only a frame rate. The muxer fills gaps with empty packets, at most
    # 60000 at a time.
    ".avi": VideoFormat("avi", 120, {}, longest_gap=60_000, timed=False),
}
"""Formats by file ending."""


def format_of(path: Path, template: Template | None) -> VideoFormat:
    """Return the format for a file's ending, if it can hold the template's times and sound.

    Raises:
        UsageError: The ending is unknown, or its format cannot hold the template's times or sound.
    """
    ending = path.suffix.lower()
    formats = {end: found for end, found in FORMATS.items() if found.timed or template is None}
    if ending not in formats:
        raise UsageError(
            f"cannot record to {path}: the name of a video must end in {', '.join(formats)}."
        )
    for stream in template.sound if template else ():
        fitting = [end for end, found in formats.items() if holds(found.name, stream)]
        if ending not in fitting:
            others = f"write to {' or '.join(fitting)}, or " if fitting else ""
            raise UsageError(
                f"the sound ({codec_of(stream)}) cannot be copied to {path}; {others}leave it out "
                "with `audio=False`."
            )
    return formats[ending]
