"""The parts of a source video that a recording keeps: its clock and its sound."""

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
    """A video to record again with new images and everything else as before."""

    time_base: Fraction
    """Seconds per tick of its timestamps."""
    pixel_aspect: Fraction | None = None
    """A pixel's width divided by its height, or None if unknown."""
    sound: tuple[AudioStream, ...] = ()
    """Its audio streams, whose packets are copied."""


class SoundPacket(NamedTuple):
    """A packet of encoded sound to copy."""

    packet: Packet[AudioStream]
    """Its times are on the recording's clock."""
    track: int
    """The index of its stream in `Template.sound`."""


def add_sound(container: OutputContainer, sound: Iterable[AudioStream]) -> list[AudioStream]:
    """Add streams to a container, ready to receive copied packets.

    Raises:
        av.FFmpegError, ValueError: The container cannot hold this sound.
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
    """Return whether a container can hold a sound stream unchanged. Tested by writing a header.

    Args:
        muxer: FFmpeg's name for the container format.
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
    """Return FFmpeg's name for the codec of a sound stream."""
    # Contrary to the stub, a codec unknown to this FFmpeg has no context.
    context = getattr(stream, "codec_context", None)
    return context.name if context else "of an unknown codec"
