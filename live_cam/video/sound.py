"""The sound of a video file, copied packet by packet."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

import av
import av.error
from av.bitstream import BitStreamFilterContext

from live_cam.record.template import SoundPacket
from live_cam.runtime.closing import Closing
from live_cam.video.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.packet import Packet

_CHUNK: Final = Fraction(10)
"""Seconds of sound per batch once no frames set the pace."""


class Excerpt(NamedTuple):
    """The part of a file that is taken, and its position in the new file."""

    origin: Fraction
    """The file clock's 0 in the streams' own times, in seconds."""
    start: Fraction | None
    """Sound that ends by this time is left out, in seconds of the file's clock."""
    end: Fraction | None
    """Sound that begins at this time or later is left out, in seconds of the file's clock."""
    shift: Fraction
    """The time of the file's clock at which the new file's clock is 0, in seconds."""


class Sound(Closing):
    """The packets of all audio streams, not decoded.

    It reads the file on its own, so that sound and images may lie far apart in it.

    Attributes:
        streams: The streams that have sound in the excerpt.
        end: The end of the last packet read, in seconds of the file's clock, or None if none was
            read.
    """

    def __init__(self, path: Path, excerpt: Excerpt, *, wanted: bool = True) -> None:
        """Open the file.

        Args:
            path: A video file.
            excerpt: The part to take.
            wanted: Whether to take any sound.

        Raises:
            av.error.FFmpegError: The file cannot be opened.
        """
        self.end: Fraction | None = None
        self._excerpt = excerpt
        self._container = av.open(f"file:{path}", metadata_errors="replace")
        self.streams: tuple[AudioStream, ...] = tuple(
            stream
            for stream in self._container.streams.audio
            if wanted and _overlaps(stream, excerpt)
        )
        self._tracks = {
            stream.index: _Track(stream, number, excerpt)
            for number, stream in enumerate(self.streams)
        }
        self._packets = self._read()
        self._next: tuple[Fraction, SoundPacket] | None = None

    def until(self, time: Fraction) -> list[SoundPacket]:
        """Return the remaining packets that begin before a time of the file's clock, in seconds."""
        taken: list[SoundPacket] = []
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or self._next[0] >= time:
                return taken
            taken.append(self._next[1])
            self._next = None

    def rest(self) -> Iterator[list[SoundPacket]]:
        """Yield the remaining packets in batches."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None:
                return
            yield self.until(self._next[0] + _CHUNK)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()

    def _read(self) -> Iterator[tuple[Fraction, SoundPacket]]:
        """Yield packets with their start times, in seconds of the file's clock."""
        if not self.streams:
            return
        start, end = self._excerpt.start, self._excerpt.end
        unfinished = set(self._tracks)
        # The reader of the images reports a broken file; the sound just ends there.
        with suppress(av.error.FFmpegError):
            for read in self._container.demux(self.streams):
                if not read.size:  # PyAV's flush packet
                    continue
                track = self._tracks[read.stream_index]
                for packet in track.convert(read):
                    time, until = track.place(packet)
                    self.end = max(self.end or until, until)
                    if end is not None and time >= end:
                        unfinished.discard(track.index)
                    elif start is None or until > start:
                        yield time, SoundPacket(packet, track.number)
                if not unfinished:
                    return


class _Track:
    """An audio stream and its track in the new file."""

    def __init__(self, stream: AudioStream, number: int, excerpt: Excerpt) -> None:
        self.index = stream.index
        self.number = number
        self._base = stream.time_base or Fraction(1, stream.rate)
        self._timeline = Timeline(excerpt.origin, self._base)
        self._shift = excerpt.shift
        # Broadcasts repeat the decoder's parameters in each packet (ADTS); MP4 and Matroska store
        # them once.
        context = stream.codec_context
        is_adts = context.name == "aac" and not context.extradata
        self._filter = BitStreamFilterContext("aac_adtstoasc", stream) if is_adts else None

    def convert(self, packet: Packet[AudioStream]) -> list[Packet[AudioStream]]:
        """Return a packet in the form that the new file stores."""
        return self._filter.filter(packet) if self._filter else [packet]

    def place(self, packet: Packet[AudioStream]) -> tuple[Fraction, Fraction]:
        """Set a packet's times for the new file; return its start and end on this file's clock."""
        ticks = packet.dts if packet.pts is None else packet.pts
        duration = (packet.duration or 0) * self._base
        time = self._timeline.place(None if ticks is None else ticks * self._base, duration)
        packet.time_base = self._base
        packet.pts = packet.dts = round((time - self._shift) / self._base)
        return time, time + duration


def _overlaps(stream: AudioStream, excerpt: Excerpt) -> bool:
    """Whether a stream has sound in the excerpt, or does not state its extent."""
    base, begin = stream.time_base, stream.start_time
    if base is None or begin is None or stream.duration is None:
        return True
    start, end = excerpt.start, excerpt.end
    ends = (begin + stream.duration) * base - excerpt.origin
    begins = begin * base - excerpt.origin
    return (start is None or ends > start) and (end is None or begins < end)
