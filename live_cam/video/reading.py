"""The images of a video file, each once and at its exact time."""

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
"""Seconds: what lies nearer is decoded and passed over."""
_STEPS_BACK: Final = (1, 15, 120)
"""Seconds before a time at which an image is looked for that can be decoded by itself."""
_TOLERANCE: Final = Fraction(1, 2)
"""Seconds by which a file may end earlier than it says."""


class Shot(NamedTuple):
    """An image of the file, and when it is shown."""

    frame: Frame
    time: Fraction
    """Seconds of the file's clock, which starts at 0."""
    duration: Fraction
    """Seconds."""


class Reader(Closing):
    """The images of a part of a video file, in their order.

    Attributes:
        first: The first one. It is what the iteration begins with, too.
        pixel_aspect: A pixel's width by its height; None: nobody says.
    """

    def __init__(self, path: Path, start: Fraction | None, end: Fraction | None) -> None:
        """Decode the first image.

        Args:
            path: An existing file.
            start: What is shown earlier is left out; seconds of the file's clock. None: nothing.
            end: What is shown then or later is left out; None: nothing.

        Raises:
            UsageError: It is no video, it cannot be read or decoded, or it has no image there.
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
        self._shots = self._read()
        try:
            first = next(self._shots, None)
            if first is None:
                raise UsageError(self._nothing_there())
            self.first = first
        except LiveCamError:
            self.close()
            raise

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the images' times."""
        return self._decoder.time_base

    @property
    def origin(self) -> Fraction:
        """What the streams' times call the clock's 0, in seconds."""
        return self._decoder.start

    @property
    def length(self) -> Fraction | None:
        """How long all of it plays from the first image on, in seconds, as far as is known."""
        said = self._decoder.end or self._decoder.whole_end
        ends = [self._end] if self._end is not None else []
        ends += [said - self.origin] if said is not None else []
        return max(min(ends) - self.first.time, Fraction(0)) if ends else None

    def __iter__(self) -> Iterator[Shot]:
        """Yield each image once, until there is none or no more can be read."""
        yield self.first
        yield from self._shots

    def problem(self, sound_end: Fraction | None) -> str | None:
        """Say what was wrong with the file, once its images have been read.

        Args:
            sound_end: When its sound ended, in seconds of its clock; None: that is not known.

        Returns:
            A sentence; None: nothing was.
        """
        if self._failure:
            return self._failure
        said, came = self._ends(sound_end)
        early = said is not None and said - came > _TOLERANCE + self._longest_gap
        if self._all_read and (early or _is_short_riff(self._path)):
            whole = f" of {float(said):.1f}" if early and said is not None else ""
            return (
                f"{self._path.name} stops after {float(came):.1f}{whole} seconds: it is cut off or "
                "broken; what came before was explained."
            )
        broken = self._decoder.broken
        if broken:
            what = "an image" if broken == 1 else f"{broken} images"
            return (
                f"{self._path.name} is broken: {what} could not be decoded; all others were "
                "explained."
            )
        return None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._decoder.close()

    def _ends(self, sound_end: Fraction | None) -> tuple[Fraction | None, Fraction]:
        """Return when the file says that it ends, as far as it does, and when it did."""
        decoder, came = self._decoder, self._timeline.end
        said = decoder.end
        if said is None and (decoder.alone or sound_end is not None):
            said, came = decoder.whole_end, max(came, sound_end or came)
        return (None if said is None else said - self.origin), came

    def _nothing_there(self) -> str:
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
                f"{name} has ended after {float(end):.1f} seconds, before --start "
                f"{float(self._start):g}; give an earlier one."
            )
        return f"{name} shows no new image between --start and --end; set them further apart."

    def _read(self) -> Iterator[Shot]:
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
                yield Shot(Frame(decoded.image, next(numbers), float(time)), time, duration)
            self._all_read = True
        except av.error.FFmpegError as error:
            self._failure = lost(self._path.name, error)

    def _decoded(self) -> Iterator[Decoded]:
        """Decode from somewhere before the start on."""
        images = self._decoder.images()
        first = next(images, None)
        if first is not None and first.time is not None and self._start is not None:
            wanted = self._start + self.origin
            if wanted > first.time + _WORTH_SEEKING:
                first, images = self._enter(wanted)
        if first is not None:
            yield first
            yield from images

    def _enter(self, wanted: Fraction) -> tuple[Decoded | None, Iterator[Decoded]]:
        """Go to an image before a time; to the first one, where there is no other way."""
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
    """Whether an AVI is shorter than it says; FFmpeg believes what is left of it."""
    with path.open("rb") as file:
        head = file.read(12)
    says = int.from_bytes(head[4:8], "little") + 8
    return head[:4] == b"RIFF" and head[8:] == b"AVI " and says > path.stat().st_size
