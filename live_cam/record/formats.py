"""The containers that a video may be in, each as it plays best after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.errors import UsageError
from live_cam.record.template import codec_of, holds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from live_cam.record.template import Template


class VideoFormat(NamedTuple):
    """A container, and how it is kept playable at any moment."""

    name: str
    """FFmpeg's name of the muxer."""
    rate: int
    """Ticks per second of its timestamps."""
    options: Mapping[str, str]
    """Options of the muxer."""
    longest_gap: int | None = None
    """The most ticks between two images, if there is such a limit."""
    timed: bool = True
    """Whether it knows each image's time."""


# Fragments of half a second while recording; on closing, one ordinary index over all of them,
# since some players and editors do not like fragments. The header is written with the first
# fragment: an earlier one could not say when each stream begins.
_FRAGMENTS: Final = {
    "movflags": "+hybrid_fragmented+frag_keyframe+delay_moov+default_base_moof",
    "frag_duration": "500000",
}

FORMATS: Final[Mapping[str, VideoFormat]] = {
    ".mp4": VideoFormat("mp4", 90_000, _FRAGMENTS),
    ".mov": VideoFormat("mov", 90_000, _FRAGMENTS),
    ".mkv": VideoFormat("matroska", 1_000, {"cluster_time_limit": "500"}),
    # AVI knows no timestamps, only a frame rate: between two images there are empty ones, of
    # which the muxer writes 60000 at the most at a time.
    ".avi": VideoFormat("avi", 120, {}, longest_gap=60_000, timed=False),
}
"""By the ending of the file's name."""


def format_of(path: Path, template: Template | None) -> VideoFormat:
    """Return the format that a file's name asks for, if it can hold what the template has.

    Raises:
        UsageError: The name has another ending, or one of a format that cannot hold the
            template's times or sound.
    """
    ending = path.suffix.lower()
    formats = {end: each for end, each in FORMATS.items() if each.timed or template is None}
    if ending not in formats:
        raise UsageError(
            f"cannot record to {path}: the name of a video must end in {', '.join(formats)}."
        )
    for stream in template.sound if template else ():
        fitting = [end for end, each in formats.items() if holds(each.name, stream)]
        if ending not in fitting:
            others = f"write to {' or '.join(fitting)}, or " if fitting else ""
            raise UsageError(
                f"the sound ({codec_of(stream)}) cannot be copied to {path}; {others}leave it out "
                "with --no-audio."
            )
    return formats[ending]
