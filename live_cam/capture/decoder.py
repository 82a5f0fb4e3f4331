"""Video decoding with FFmpeg: upright images with their exact times."""

from __future__ import annotations

import re
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import av
import av.error
from av.codec.context import Flags, ThreadType
from av.format import Flags as FormatFlags
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from live_cam.errors import UsageError, first_line
from live_cam.runtime.opencv import cv2
from live_cam.settings import MOST_VIDEO_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

# FFmpeg would print a message to the terminal for every oddity in a file.
av.logging.set_level(None)

_MOST_BROKEN: Final = 100
"""Number of consecutive broken packets after which no more can be read."""
_INVALID: Final = 0x41444E49
"""FFmpeg's code for invalid data: `AVERROR_INVALIDDATA`."""
_DEFAULT_RATE: Final = Fraction(30)
_RATES: Final = Fraction(1, 3600), Fraction(1000)
"""Lowest and highest plausible rate, in images per second; a file may claim any other."""
_BOUNDS: Final = {"max_pixels": str(MOST_VIDEO_PIXELS)}
_SEGMENTED: Final = {"hls", "dash"}
_LENGTH: Final = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
_ROTATIONS: Final = {
    1: cv2.ROTATE_90_COUNTERCLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_CLOCKWISE,
}


class Decoded(NamedTuple):
    """A decoded image of a video."""

    image: NDArray[np.uint8]
    """H×W×3, BGR, upright."""
    time: Fraction | None
    """Presentation time in seconds of the container's clock, or None if unknown."""
    duration: Fraction = Fraction(0)
    """Seconds, or 0 if unknown."""
    pixel_aspect: Fraction | None = None
    """Width of a pixel divided by its height, in the upright image, or None if unknown."""


class Decoder:
    """The video in a container, decoded in presentation order.

    Attributes:
        paced: Whether the images are paced by their times: the container is a file, has an end, or
            arrives in segments of several seconds. Otherwise each image is shown on arrival.
        rate: Images per second, as far as the container knows.
        codec: The codec's name, such as `h264`.
        independent: Whether each image decodes without earlier ones.
        time_base: Seconds per tick of the images' times.
        start: Start of the container's clock in seconds: 0, except in broadcast formats.
        end: End of the images on that clock, or None if unknown.
        whole_end: End of all streams on that clock, or None if unknown.
        alone: Whether the container holds no other stream.
        broken: Number of packets that could not be read, or not decoded after the first image.
    """

    def __init__(
        self,
        location: str,
        *,
        name: str,
        may_be_live: bool = False,
        options: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Open the container, without decoding anything yet.

        Args:
            location: A path or URL, as FFmpeg expects it.
            name: Display name, for errors.
            may_be_live: Whether it is a network stream, which may have no end.
            options: FFmpeg's options for the container.
            timeout: Seconds allowed for opening and for each read, or None for no limit.

        Raises:
            UsageError: The container has no video, or none that this FFmpeg can decode.
            av.error.FFmpegError: The container cannot be opened.
        """
        with _library_errors():
            self._container = av.open(
                location,
                options={**_BOUNDS, **(options or {})},
                timeout=timeout,
                metadata_errors="replace",
            )
        try:
            self._stream = self._choose_stream(name)
        except UsageError:
            self._container.close()
            raise
        context = self._stream.codec_context
        context.options = dict(_BOUNDS)
        self.codec = context.name
        self.independent = context.codec.intra_only
        self._reformatter = VideoReformatter()
        known = (self._stream.average_rate, self._stream.guessed_rate, self._stream.base_rate)
        low, high = _RATES
        self.rate = next((rate for rate in known if rate and low <= rate <= high), _DEFAULT_RATE)
        self.time_base = self._stream.time_base or 1 / Fraction(self.rate)
        self.start, self.end, self.whole_end = self._bounds()
        self.alone = len(self._container.streams) == 1
        self.broken = 0
        self._started = False
        has_end = self._container.duration is not None
        segmented = self._container.format.name in _SEGMENTED
        self.paced = not may_be_live or has_end or segmented
        if self.paced:
            context.thread_type = ThreadType.AUTO
        else:
            # Decoding several images in parallel would delay each of them.
            context.thread_type = ThreadType.SLICE
            context.flags |= Flags.low_delay

    def _choose_stream(self, name: str) -> VideoStream:
        stream = self._container.streams.best("video")
        # FFmpeg renders plain text as the video of a terminal.
        is_text = self._container.format.name == "tty"
        if not isinstance(stream, VideoStream) or is_text or _is_cover(stream):
            raise UsageError(
                f"There is no video in {name}; give a video, an image, a folder of images, a "
                "camera index, a URL or demo."
            )
        # For an unknown codec the context is missing, contrary to PyAV's type stub.
        if getattr(stream, "codec_context", None) is None:
            raise UsageError(
                f"The video in {name} uses a codec that FFmpeg cannot decode; convert it, for "
                "example to H.264."
            )
        return stream

    def _bounds(self) -> tuple[Fraction, Fraction | None, Fraction | None]:
        """Return `start`, `end` and `whole_end`."""
        container, stream = self._container, self._stream
        first = Fraction(container.start_time or 0, av.time_base)
        whole = None
        if container.duration is not None:
            whole = first + Fraction(container.duration, av.time_base)
        end = None
        if stream.duration is not None:
            end = ((stream.start_time or 0) + stream.duration) * self.time_base
        elif length := _LENGTH.fullmatch(stream.metadata.get("DURATION", "")):  # in Matroska
            hours, minutes, seconds = map(Fraction, length.groups())
            end = 3600 * hours + 60 * minutes + seconds
        starts_anywhere = container.format.flags & cast("int", FormatFlags.ts_discont.value)
        return first if starts_anywhere else Fraction(0), end, whole

    @property
    def hides_rate(self) -> bool:
        """Whether the container has no rate, and FFmpeg makes one up."""
        name = self._container.format.name
        return name in {"mpjpeg", "mjpeg"} or name.endswith("_pipe")

    def seek(self, time: Fraction) -> None:
        """Make `images` continue at an image shortly before a time, or exactly at it.

        Args:
            time: Seconds of the container's clock.

        Raises:
            av.error.FFmpegError: The container does not support seeking.
        """
        self._container.seek(int(time / self.time_base), stream=self._stream)

    def images(self, packets: Iterable[Packet[VideoStream]] | None = None) -> Iterator[Decoded]:
        """Decode one image after another, skipping broken ones.

        Args:
            packets: All packets from `packets`, in order, or None to read them directly.

        Raises:
            av.error.FFmpegError: Reading failed before the end.
        """
        self._started = False
        for packet in self.packets() if packets is None else packets:
            yield from self._undamaged(packet)

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Read one packet after another without decoding, skipping broken ones.

        Raises:
            av.error.FFmpegError: Reading failed before the end.
        """
        packets = self._container.demux(self._stream)
        broken = 0
        while True:
            try:
                with _library_errors():
                    packet = next(packets, None)
            except av.error.InvalidDataError:
                broken += 1
                self.broken += 1
                if broken >= _MOST_BROKEN:
                    raise
                packets = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            broken = 0
            yield packet

    def _undamaged(self, packet: Packet[VideoStream]) -> Iterator[Decoded]:
        try:
            for decoded in self.decode(packet):
                self._started = True
                yield decoded
        except av.error.FFmpegError:
            # Packets before the first decoded image depend on one that is missing.
            self.broken += self._started

    def decode(self, packet: Packet[VideoStream]) -> Iterator[Decoded]:
        """Yield the images that a packet completes.

        Raises:
            av.error.FFmpegError: The packet is broken; the next one may be intact.
        """
        with _library_errors():
            frames = self._stream.decode(packet)
        for frame in frames:
            with _library_errors():
                decoded = self._decoded(frame)
            yield decoded

    def _decoded(self, frame: VideoFrame) -> Decoded:
        bgr = self._reformatter.reformat(frame, format="bgr24").to_ndarray()
        quarters = round(frame.rotation / 90) % 4
        return Decoded(
            _rotated(cast("NDArray[np.uint8]", bgr), quarters),
            self._time(frame.pts, frame),
            # Missing in older versions of PyAV.
            self._time(getattr(frame, "duration", 0), frame) or Fraction(0),
            self._pixel_aspect(quarters),
        )

    def _time(self, ticks: int | None, frame: VideoFrame) -> Fraction | None:
        base = frame.time_base or self._stream.time_base
        return None if ticks is None or base is None else ticks * base

    def _pixel_aspect(self, quarters: int) -> Fraction | None:
        aspect = self._stream.sample_aspect_ratio
        return 1 / aspect if aspect and quarters % 2 else aspect or None

    def close(self) -> None:
        """Close the container. May be called twice."""
        self._container.close()


def _is_cover(stream: VideoStream) -> bool:
    """Whether the stream is the cover image of a song."""
    return bool(stream.disposition & Disposition.attached_pic)


def _rotated(image: NDArray[np.uint8], quarters: int) -> NDArray[np.uint8]:
    """Rotate an image counterclockwise by a number of quarter turns."""
    code = _ROTATIONS.get(quarters)
    return image if code is None else cast("NDArray[np.uint8]", cv2.rotate(image, code))


@contextmanager
def _library_errors() -> Iterator[None]:
    """Convert errors of PyAV itself, such as an index out of range, to `InvalidDataError`."""
    try:
        yield
    except av.error.FFmpegError:
        raise
    except Exception as error:
        raise av.error.InvalidDataError(_INVALID, first_line(error)) from error
