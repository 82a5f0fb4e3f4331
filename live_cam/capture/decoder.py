"""Decodes the video in a file or stream, by FFmpeg, and tells when each picture is shown."""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import av
import av.error
from av.codec.context import Flags, ThreadType
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from live_cam.errors import UsageError, first_line
from live_cam.opencv import cv2
from live_cam.settings import MOST_VIDEO_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
"""Pictures per second. What a file says beyond them is no rate."""
_BOUNDS: Final = {"max_pixels": str(MOST_VIDEO_PIXELS)}
_SEGMENTED: Final = {"hls", "dash"}
_TURNS: Final = {
    1: cv2.ROTATE_90_COUNTERCLOCKWISE,
    2: cv2.ROTATE_180,
    3: cv2.ROTATE_90_CLOCKWISE,
}


class Decoder:
    """The pictures of a container's video, in the order in which they are shown.

    Attributes:
        paced: Whether the pictures are paced by their times: it is a file, the video has an end,
            or it comes in segments of seconds at once. Otherwise each is shown once it is here.
        rate: Pictures per second, as far as the container knows.
        codec: The codec's name, such as `h264`.
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
        known = (self._stream.average_rate, self._stream.guessed_rate, self._stream.base_rate)
        low, high = _RATES
        self.rate = next((rate for rate in known if rate and low <= rate <= high), _USUAL_RATE)
        has_end = self._container.duration is not None
        segmented = self._container.format.name in _SEGMENTED
        self.paced = not may_be_live or has_end or segmented
        if self.paced:
            context.thread_type = ThreadType.AUTO
        else:
            # Decoding several pictures at once would hold each one back for several others.
            context.thread_type = ThreadType.SLICE
            context.flags |= Flags.low_delay

    def _choose_stream(self, name: str) -> VideoStream:
        stream = self._container.streams.best("video")
        # FFmpeg plays plain text as a video of a terminal.
        if not isinstance(stream, VideoStream) or self._container.format.name == "tty":
            raise UsageError(
                f"There is no video in {name}; give a video, a picture, a folder of pictures, a "
                "camera's index, a URL or demo."
            )
        # A codec that this FFmpeg does not know has no context, whatever the stub says.
        if getattr(stream, "codec_context", None) is None:
            raise UsageError(
                f"The video in {name} uses a codec that FFmpeg cannot decode; convert it, for "
                "example to H.264."
            )
        return stream

    @property
    def hides_rate(self) -> bool:
        """Whether the container does not know its rate, and FFmpeg makes one up."""
        name = self._container.format.name
        return name in {"mpjpeg", "mjpeg"} or name.endswith("_pipe")

    def pictures(self) -> Iterator[tuple[NDArray[np.uint8], Fraction | None]]:
        """Decode picture after picture; broken ones are passed over.

        Yields:
            The picture, H×W×3 BGR and upright, and the time at which it is shown, in seconds of
            the container's own clock; None where the container does not say.

        Raises:
            av.error.FFmpegError: No more can be read, and it is not the end.
        """
        reformatter = VideoReformatter()
        for packet in self._packets():
            for frame in self._decode(packet):
                try:
                    with _stumbling():
                        bgr = reformatter.reformat(frame, format="bgr24").to_ndarray()
                        turned = _upright(cast("NDArray[np.uint8]", bgr), frame.rotation)
                except av.error.FFmpegError:
                    continue
                yield turned, self._time(frame)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux(self._stream)
        broken = 0
        while True:
            try:
                with _stumbling():
                    packet = next(packets, None)
            except av.error.InvalidDataError:
                broken += 1
                if broken >= _BROKEN_IN_A_ROW:
                    raise
                packets = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            broken = 0
            yield packet

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        try:
            with _stumbling():
                return self._stream.decode(packet)
        except av.error.FFmpegError:
            return []

    def _time(self, frame: VideoFrame) -> Fraction | None:
        base = frame.time_base or self._stream.time_base
        return None if frame.pts is None or base is None else frame.pts * base

    def close(self) -> None:
        """Close the container. May be called twice."""
        self._container.close()


@contextmanager
def _stumbling() -> Iterator[None]:
    """Take for invalid data what PyAV itself stumbles over: an index or a number out of range."""
    try:
        yield
    except av.error.FFmpegError:
        raise
    except Exception as error:
        raise av.error.InvalidDataError(_INVALID, first_line(error)) from error


def _upright(image: NDArray[np.uint8], rotation: int) -> NDArray[np.uint8]:
    """Turn a picture as the container asks for, counterclockwise by so many degrees."""
    turn = _TURNS.get(round(rotation / 90) % 4)
    return image if turn is None else cast("NDArray[np.uint8]", cv2.rotate(image, turn))
