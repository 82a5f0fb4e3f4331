"""The frames of a video file, each once and with its exact time."""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

import av.error

from live_cam.capture.video import lost, open_decoder
from live_cam.errors import LiveCamError, UsageError
from live_cam.frame import Frame
from live_cam.runtime.closing import Closing
from live_cam.video.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from live_cam.capture.decoder import Decoded

_WORTH_SEEKING: Final = 5
"""Seconds; a start closer than this is reached by decoding and skipping."""
_STEPS_BACK: Final = (1, 15, 120)
"""Seconds before the start at which to seek for a key frame, one after the other."""
_TOLERANCE: Final = Fraction(1, 2)
"""Seconds by which a file may end before its declared end."""


class TimedFrame(NamedTuple):
    """A frame with its exact time in the file."""

    frame: Frame
    time: Fraction
    """Seconds of the file's clock, which starts at 0."""
    duration: Fraction
    """Seconds."""


class Reader(Closing):
    """The frames of a part of a video file, in order.

    Attributes:
        first: The first frame; iteration begins with it, too.
        pixel_aspect: A pixel's width divided by its height, or None if unknown.
    """

    def __init__(self, path: Path, start: Fraction | None, end: Fraction | None) -> None:
        """Decode the first frame.

        Args:
            path: An existing file.
            start: Earlier frames are left out, in seconds of the file's clock.
            end: Frames at this time or later are left out, in seconds of the file's clock.

        Raises:
            UsageError: The file is not a video, cannot be read or decoded, or has no frame between
                `start` and `end`.
        """
        self.pixel_aspect: Fraction | None = None
        self._path = path
        self._start = start
        self._end = end
        self._decoder = open_decoder(path)
        self._timeline = Timeline(self._decoder.start, self._decoder.time_base)
        self._longest_gap = Fraction(0)
        self._all_read = False
        self._failure: str | None = None
        self._frames = self._read()
        try:
            first = next(self._frames, None)
            if first is None:
                raise UsageError(self._no_frame())
            self.first = first
        except LiveCamError:
            self.close()
            raise

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the frames' times."""
        return self._decoder.time_base

    @property
    def origin(self) -> Fraction:
        """The clock's 0 in the streams' own times, in seconds."""
        return self._decoder.start

    @property
    def length(self) -> Fraction | None:
        """The time from the first frame to the end, in seconds, or None if unknown."""
        declared = self._decoder.end or self._decoder.whole_end
        ends = [self._end] if self._end is not None else []
        ends += [declared - self.origin] if declared is not None else []
        return max(min(ends) - self.first.time, Fraction(0)) if ends else None

    def __iter__(self) -> Iterator[TimedFrame]:
        """Yield each frame once, until the end or the first read error."""
        yield self.first
        yield from self._frames

    def problem(self, sound_end: Fraction | None) -> str | None:
        """Describe what was wrong with the file, once all frames have been read.

        Args:
            sound_end: The end of the sound, in seconds of the file's clock, or None if unknown.

        Returns:
            A sentence, or None if nothing was wrong.
        """
        if self._failure:
            return self._failure
        declared, actual = self._ends(sound_end)
        early = declared is not None and declared - actual > _TOLERANCE + self._longest_gap
        if self._all_read and (early or _is_short_riff(self._path)):
            whole = f" of {float(declared):.1f}" if early and declared is not None else ""
            return (
                f"{self._path.name} stops after {float(actual):.1f}{whole} seconds: it is cut off "
                "or broken; everything before that was explained."
            )
        broken = self._decoder.broken
        if broken:
            count = "one frame" if broken == 1 else f"{broken} frames"
            return (
                f"{self._path.name} is broken: {count} could not be decoded; all others were "
                "explained."
            )
        return None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._decoder.close()

    def _ends(self, sound_end: Fraction | None) -> tuple[Fraction | None, Fraction]:
        """Return the file's declared end, if it has one, and its actual end."""
        decoder, actual = self._decoder, self._timeline.end
        declared = decoder.end
        if declared is None and (decoder.alone or sound_end is not None):
            declared, actual = decoder.whole_end, max(actual, sound_end or actual)
        return (None if declared is None else declared - self.origin), actual

    def _no_frame(self) -> str:
        """Describe why there is no frame between `start` and `end`."""
        name, end = self._path.name, self._timeline.end
        if self._failure:
            return self._failure
        if end == 0:
            return (
                f"No image in {name} can be decoded; the file is empty or broken: check whether "
                "another program plays it."
            )
        if self._start is not None and self._start >= end:
            return (
                f"{name} ends after {float(end):.1f} seconds, before "
                f"`start={float(self._start):g}`; give an earlier `start`."
            )
        return f"{name} has no frame between `start` and `end`; set them further apart."

    def _read(self) -> Iterator[TimedFrame]:
        step = 1 / Fraction(self._decoder.rate)
        numbers, before = count(), None
        try:
            for decoded in self._decoded():
                duration = decoded.duration or step
                time = self._timeline.place(decoded.time, duration)
                self._longest_gap = max(self._longest_gap, time - (before or time))
                before = time
                if self._end is not None and time >= self._end:
                    return
                if self._start is not None and time < self._start:
                    continue
                self.pixel_aspect = decoded.pixel_aspect
                frame = Frame(decoded.image, next(numbers), float(time))
                yield TimedFrame(frame, time, duration)
            self._all_read = True
        except av.error.FFmpegError as error:
            self._failure = lost(self._path.name, error)

    def _decoded(self) -> Iterator[Decoded]:
        """Decode from a frame at or before the start."""
        images = self._decoder.images()
        first = next(images, None)
        if first is not None and first.time is not None and self._start is not None:
            wanted = self._start + self.origin
            if wanted > first.time + _WORTH_SEEKING:
                first, images = self._seek(wanted)
        if first is not None:
            yield first
            yield from images

    def _seek(self, wanted: Fraction) -> tuple[Decoded | None, Iterator[Decoded]]:
        """Seek to an image before a time, or reopen the file if seeking fails."""
        for back in _STEPS_BACK:
            try:
                self._decoder.seek(wanted - back)
                images = self._decoder.images()
                first = next(images, None)
            except av.error.FFmpegError:
                break
            if first is not None and first.time is not None and first.time <= wanted:
                return first, images
        self._decoder.close()
        self._decoder = open_decoder(self._path)
        images = self._decoder.images()
        return next(images, None), images


def _is_short_riff(path: Path) -> bool:
    """Whether an AVI is shorter than its header states; FFmpeg does not report this."""
    with path.open("rb") as file:
        head = file.read(12)
    declared = int.from_bytes(head[4:8], "little") + 8
    return head[:4] == b"RIFF" and head[8:] == b"AVI " and declared > path.stat().st_size
