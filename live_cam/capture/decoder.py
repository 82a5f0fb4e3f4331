"""Decodes the video in a file or stream, by FFmpeg, and tells when each image is shown."""

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

# FFmpeg would write to the terminal whatever it finds odd in a file.
av.logging.set_level(None)

_BROKEN_IN_A_ROW: Final = 100
"""So many broken packets in a row are not a fault in the middle: nothing more will come."""
_INVALID: Final = 0x41444E49
"""FFmpeg's code for invalid data: `AVERROR_INVALIDDATA`."""
_USUAL_RATE: Final = Fraction(30)
_RATES: Final = Fraction(1, 3600), Fraction(1000)
"""Images per second. What a file says beyond them is no rate."""
_BOUNDS: Final = {"max_pixels": str(MOST_VIDEO_PIXELS)}
_SEGMENTED: Final = {"hls", "dash"}
_LENGTH: Final = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
_TURNS: Final = {
    1: cv2.ROTATE_90_COUNTERCLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_CLOCKWISE,
}


class Decoded(NamedTuple):
    """An image as a container has it."""

    image: NDArray[np.uint8]
    """H×W×3, BGR, upright."""
    time: Fraction | None
    """When it is shown, in seconds of the container's own clock; None: nobody says."""
    duration: Fraction = Fraction(0)
    """For how many seconds; 0: nobody says."""
    pixel_aspect: Fraction | None = None
    """A pixel's width by its height, upright; None: nobody says."""


class Decoder:
    """The images of a container's video, in the order in which they are shown.

    Attributes:
        paced: Whether the images are paced by their times: it is a file, the video has an end,
            or it comes in segments of seconds at once. Otherwise each is shown once it is here.
        rate: Images per second, as far as the container knows.
        codec: The codec's name, such as `h264`.
        independent: Whether each image can be decoded without those before it.
        time_base: Seconds per tick of the images' times.
        start: Where the container's clock begins, in seconds: 0, but for broadcasts.
        end: When the images end on that clock, as far as the container says.
        whole_end: When everything in it ends, as far as it says.
        alone: Whether there is nothing in it beside the images.
        broken: How many packets could not be decoded after the first image.
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
        """Open the container; nothing is decoded yet.

        Args:
            location: A file's path or a URL, for FFmpeg.
            name: What the user knows it as, for errors.
            may_be_live: Whether it is a stream from the network, which may have no end.
            options: FFmpeg's options for the container.
            timeout: Seconds in which opening, and each read, must succeed; None: no limit.

        Raises:
            UsageError: There is no video in it, or none that this FFmpeg can decode.
            av.error.FFmpegError: It cannot be opened.
        """
        with _stumbling():
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
        self.rate = next((rate for rate in known if rate and low <= rate <= high), _USUAL_RATE)
        self.time_base = self._stream.time_base or 1 / Fraction(self.rate)
        self.start, self.end, self.whole_end = self._bounds()
        self.alone = len(self._container.streams) == 1
        self.broken = 0
        self._begun = False
        has_end = self._container.duration is not None
        segmented = self._container.format.name in _SEGMENTED
        self.paced = not may_be_live or has_end or segmented
        if self.paced:
            context.thread_type = ThreadType.AUTO
        else:
            # Decoding several images at once would hold each one back for several others.
            context.thread_type = ThreadType.SLICE
            context.flags |= Flags.low_delay

    def _choose_stream(self, name: str) -> VideoStream:
        stream = self._container.streams.best("video")
        # FFmpeg plays plain text as a video of a terminal.
        is_text = self._container.format.name == "tty"
        if not isinstance(stream, VideoStream) or is_text or _is_cover(stream):
            raise UsageError(
                f"There is no video in {name}; give a video, an image, a folder of images, a "
                "camera's index, a URL or demo."
            )
        # A codec that this FFmpeg does not know has no context, whatever the stub says.
        if getattr(stream, "codec_context", None) is None:
            raise UsageError(
                f"The video in {name} uses a codec that FFmpeg cannot decode; convert it, for "
                "example to H.264."
            )
        return stream

    def _bounds(self) -> tuple[Fraction, Fraction | None, Fraction | None]:
        """Return where the clock begins, where the images end, and where everything does."""
        container, stream = self._container, self._stream
        first = Fraction(container.start_time or 0, av.time_base)
        whole = None
        if container.duration is not None:
            whole = first + Fraction(container.duration, av.time_base)
        end = None
        if stream.duration is not None:
            end = ((stream.start_time or 0) + stream.duration) * self.time_base
        elif said := _LENGTH.fullmatch(stream.metadata.get("DURATION", "")):  # Matroska's
            hours, minutes, seconds = map(Fraction, said.groups())
            end = 3600 * hours + 60 * minutes + seconds
        begins_anywhere = container.format.flags & cast("int", FormatFlags.ts_discont.value)
        return first if begins_anywhere else Fraction(0), end, whole

    @property
    def hides_rate(self) -> bool:
        """Whether the container does not know its rate, and FFmpeg makes one up."""
        name = self._container.format.name
        return name in {"mpjpeg", "mjpeg"} or name.endswith("_pipe")

    def seek(self, time: Fraction) -> None:
        """Let `images` go on at an image some way before a time, or at that time.

        Args:
            time: In seconds of the container's own clock.

        Raises:
            av.error.FFmpegError: This container cannot be entered in the middle.
        """
        self._container.seek(int(time / self.time_base), stream=self._stream)

    def images(self, packets: Iterable[Packet[VideoStream]] | None = None) -> Iterator[Decoded]:
        """Decode image after image; broken ones are passed over.

        Args:
            packets: All that `packets` yields, in its order; None: what it yields now.

        Raises:
            av.error.FFmpegError: No more can be read, and it is not the end.
        """
        self._begun = False
        for packet in self.packets() if packets is None else packets:
            yield from self._whole(packet)

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """Read packet after packet, not decoded; broken ones are passed over.

        Raises:
            av.error.FFmpegError: No more can be read, and it is not the end.
        """
        packets = self._container.demux(self._stream)
        broken = 0
        while True:
            try:
                with _stumbling():
                    packet = next(packets, None)
            except av.error.InvalidDataError:
                broken += 1
                self.broken += 1
                if broken >= _BROKEN_IN_A_ROW:
                    raise
                packets = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            broken = 0
            yield packet

    def _whole(self, packet: Packet[VideoStream]) -> Iterator[Decoded]:
        try:
            for decoded in self.decode(packet):
                self._begun = True
                yield decoded
        except av.error.FFmpegError:
            # What comes before the first whole image belongs to one that is not there.
            self.broken += self._begun

    def decode(self, packet: Packet[VideoStream]) -> Iterator[Decoded]:
        """Yield the images that a packet completes.

        Raises:
            av.error.FFmpegError: The packet is broken; the next one may be whole.
        """
        with _stumbling():
            frames = self._stream.decode(packet)
        for frame in frames:
            with _stumbling():
                decoded = self._decoded(frame)
            yield decoded

    def _decoded(self, frame: VideoFrame) -> Decoded:
        bgr = self._reformatter.reformat(frame, format="bgr24").to_ndarray()
        turn = round(frame.rotation / 90) % 4
        return Decoded(
            _turned(cast("NDArray[np.uint8]", bgr), turn),
            self._time(frame.pts, frame),
            # Older versions of PyAV do not tell it.
            self._time(getattr(frame, "duration", 0), frame) or Fraction(0),
            self._pixel_aspect(turn),
        )

    def _time(self, ticks: int | None, frame: VideoFrame) -> Fraction | None:
        base = frame.time_base or self._stream.time_base
        return None if ticks is None or base is None else ticks * base

    def _pixel_aspect(self, turn: int) -> Fraction | None:
        aspect = self._stream.sample_aspect_ratio
        return 1 / aspect if aspect and turn % 2 else aspect or None

    def close(self) -> None:
        """Close the container. May be called twice."""
        self._container.close()


def _is_cover(stream: VideoStream) -> bool:
    """Whether it is the image that belongs to a song."""
    return bool(stream.disposition & Disposition.attached_pic)


def _turned(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Turn an image counterclockwise by so many quarters."""
    code = _TURNS.get(turn)
    return image if code is None else cast("NDArray[np.uint8]", cv2.rotate(image, code))


@contextmanager
def _stumbling() -> Iterator[None]:
    """Take for invalid data what PyAV itself stumbles over: an index or a number out of range."""
    try:
        yield
    except av.error.FFmpegError:
        raise
    except Exception as error:
        raise av.error.InvalidDataError(_INVALID, first_line(error)) from error
