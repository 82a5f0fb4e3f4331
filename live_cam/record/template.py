"""What a recording takes over from the video that it is made of: its clock and its sound."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, NamedTuple

import av

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet


class Template(NamedTuple):
    """A video to be recorded anew, with other images but all else as it was."""

    time_base: Fraction
    """Seconds per tick of its timestamps."""
    pixel_aspect: Fraction | None = None
    """A pixel's width by its height; None: nobody says."""
    sound: tuple[AudioStream, ...] = ()
    """Its streams of sound, whose packets are copied."""


class SoundPacket(NamedTuple):
    """Encoded sound, ready to be copied."""

    packet: Packet[AudioStream]
    """With its times on the recording's clock."""
    track: int
    """The place of its stream in `Template.sound`."""


def add_sound(container: OutputContainer, sound: Iterable[AudioStream]) -> list[AudioStream]:
    """Add streams to a container to copy packets to.

    Raises:
        av.FFmpegError, ValueError: The container cannot hold such sound.
    """
    added = []
    for stream in sound:
        copied = container.add_stream_from_template(stream)
        copied.disposition = stream.disposition
        if stream.language:
            copied.metadata["language"] = stream.language
        added.append(copied)
    return added


def holds(muxer: str, stream: AudioStream) -> bool:
    """Return, by writing a header, whether a container can hold sound as it is.

    Args:
        muxer: FFmpeg's name of the container's format.
        stream: The sound.
    """
    container = av.open(io.BytesIO(), "w", format=muxer)
    try:
        add_sound(container, [stream])
        container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    with contextlib.suppress(av.FFmpegError):
        container.close()
    return True


def codec_of(stream: AudioStream) -> str:
    """Return FFmpeg's name of the codec that sound is encoded by."""
    # A codec that this FFmpeg does not know has no context, whatever the stub says.
    context = getattr(stream, "codec_context", None)
    return context.name if context else "of an unknown codec"
