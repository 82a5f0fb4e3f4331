"""The sound of a video file, packet by packet as it is."""

from __future__ import annotations

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
"""Seconds of sound that are handed on at once where no image sets the pace."""


class Cut(NamedTuple):
    """Which part of a file is taken, and when it begins in the new one."""

    origin: Fraction
    """What the streams' times call the 0 of the file's clock, in seconds."""
    start: Fraction | None
    """What ends until then is left out, in seconds of that clock; None: nothing."""
    end: Fraction | None
    """What begins then or later is left out; None: nothing."""
    shift: Fraction
    """What the new file's clock calls 0."""


class Sound(Closing):
    """The packets of all streams of sound, none of them decoded.

    It reads the file for itself, so that sound and images need not lie close together in it.

    Attributes:
        streams: Those that have sound in the part that is wanted.
        end: When the last packet that was read ends, in seconds of the file's clock; None: there
            was none.
        broken: Whether it could not be read to the end.
    """

    def __init__(self, path: Path, cut: Cut, *, wanted: bool = True) -> None:
        """Open the file.

        Args:
            path: A video file.
            cut: Which part of it is wanted.
            wanted: Whether there is to be any sound.

        Raises:
            av.error.FFmpegError: It cannot be opened.
        """
        self.end: Fraction | None = None
        self.broken = False
        self._cut = cut
        self._container = av.open(f"file:{path}", metadata_errors="replace")
        self.streams: tuple[AudioStream, ...] = tuple(
            stream
            for stream in self._container.streams.audio
            if wanted and _reaches_into(stream, cut)
        )
        self._lines = {
            stream.index: _Line(stream, track, cut) for track, stream in enumerate(self.streams)
        }
        self._packets = self._read()
        self._next: tuple[Fraction, SoundPacket] | None = None

    def until(self, time: Fraction) -> list[SoundPacket]:
        """Return what begins before a time, in seconds of the file's clock, and is new."""
        taken: list[SoundPacket] = []
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or self._next[0] >= time:
                return taken
            taken.append(self._next[1])
            self._next = None

    def rest(self) -> Iterator[list[SoundPacket]]:
        """Yield all that is left, some at a time."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None:
                return
            yield self.until(self._next[0] + _CHUNK)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()

    def _read(self) -> Iterator[tuple[Fraction, SoundPacket]]:
        """Yield packets with when each begins, in seconds of the file's clock."""
        if not self.streams:
            return
        start, end = self._cut.start, self._cut.end
        going_on = set(self._lines)
        try:
            for read in self._container.demux(self.streams):
                if not read.size:  # it only ends the reading
                    continue
                line = self._lines[read.stream_index]
                for packet in line.copied(read):
                    time, until = line.place(packet)
                    self.end = max(self.end or until, until)
                    if end is not None and time >= end:
                        going_on.discard(line.index)
                    elif start is None or until > start:
                        yield time, SoundPacket(packet, line.track)
                if not going_on:
                    return
        except av.error.FFmpegError:
            self.broken = True


class _Line:
    """A stream, and where its packets go."""

    def __init__(self, stream: AudioStream, track: int, cut: Cut) -> None:
        self.index = stream.index
        self.track = track
        self._base = stream.time_base or Fraction(1, stream.rate)
        self._timeline = Timeline(cut.origin, self._base)
        self._shift = cut.shift
        # Broadcasts say in each packet how to decode it; MP4 and Matroska say it once.
        context = stream.codec_context
        bare = context.name == "aac" and not context.extradata
        self._filter = BitStreamFilterContext("aac_adtstoasc", stream) if bare else None

    def copied(self, packet: Packet[AudioStream]) -> list[Packet[AudioStream]]:
        """Return it as it is copied."""
        return self._filter.filter(packet) if self._filter else [packet]

    def place(self, packet: Packet[AudioStream]) -> tuple[Fraction, Fraction]:
        """Give a packet its times in the new file; return when it begins and ends in this one."""
        ticks = packet.dts if packet.pts is None else packet.pts
        duration = (packet.duration or 0) * self._base
        time = self._timeline.place(None if ticks is None else ticks * self._base, duration)
        packet.time_base = self._base
        packet.pts = packet.dts = round((time - self._shift) / self._base)
        return time, time + duration


def _reaches_into(stream: AudioStream, cut: Cut) -> bool:
    """Whether a stream has sound in that part, as far as it says."""
    base, begin = stream.time_base, stream.start_time
    if base is None or begin is None or stream.duration is None:
        return True
    ends = (begin + stream.duration) * base - cut.origin
    begins = begin * base - cut.origin
    return (cut.start is None or ends > cut.start) and (cut.end is None or begins < cut.end)
