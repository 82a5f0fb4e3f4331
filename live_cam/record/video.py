"""An H.264 video in a container: encodes timed images and writes the packets."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

import av
import numpy as np
from av.video.frame import PictureType

from live_cam.errors import RecordingError
from live_cam.record import encoders
from live_cam.record.template import Template, add_sound
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from live_cam.record.formats import VideoFormat
    from live_cam.record.output_file import OutputFile
    from live_cam.record.template import SoundPacket

_KEYFRAME_SECONDS = 1
_LONGEST_LAST_SECONDS = 1
# Hardware codecs work in macroblocks of 16×16 pixels.
_LEAST_SIDE = 16
_OPTIONS: Final = {
    "flush_packets": "1",
    # Microseconds that images wait for sound that may precede them.
    "max_interleave_delta": "1000000",
    # Audio that begins before time 0 (an encoder's delay) must not shift everything else.
    "avoid_negative_ts": "disabled",
}


class VideoFile:
    """Encodes images into a file as they arrive.

    Attributes:
        codec: The encoder in use, or None before the first image.
        frames: The number of images in the video.
        kept: Seconds of video already in the file, playable whatever happens next.
    """

    def __init__(
        self, file: OutputFile, video_format: VideoFormat, template: Template | None = None
    ) -> None:
        """Create the video. Nothing is written before the first image.

        Args:
            file: The file to write. The caller closes it, after the video.
            video_format: One of `FORMATS`.
            template: The source video, or None if there is none.
        """
        self.codec: str | None = None
        self.frames = 0
        self.kept = 0.0
        self._file = file
        self._format = video_format
        self._template = template or Template(Fraction(1, video_format.rate))
        self._second = 1 / self._template.time_base
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._sound: list[AudioStream] = []
        self._size = (0, 0)
        self._ticks = 0
        self._duration = max(1, int(self._second / encoders.NOMINAL_FPS))
        self._keyframe_at: float | Fraction = float("-inf")
        self._header_bytes = 0

    @property
    def seconds(self) -> float:
        """The video's duration so far, including the last image."""
        return float((self._ticks + self._duration) / self._second) if self.frames else 0.0

    def add(self, image: NDArray[np.uint8], ticks: int, duration: int = 0) -> None:
        """Encode an image and write it.

        Args:
            image: H×W×3 uint8, BGR. The first one's size, made even, is the video's.
            ticks: Its timestamp on the video's clock, above the previous one.
            duration: Its duration in ticks until the next timestamp corrects it, or 0 to repeat
                the previous duration.

        Raises:
            RecordingError: No encoder works.
            OSError: The file cannot be written.
            av.FFmpegError: The encoder failed.
        """
        if self.frames:
            self._duration = min(ticks - self._ticks, int(self._second * _LONGEST_LAST_SECONDS))
            self._bridge(ticks)
        else:
            self._size = video_size(image)
        self._duration = duration or self._duration
        frame = self._frame(image, ticks)
        packets = self._stream.encode(frame) if self._stream else self._open(frame)
        self._ticks = ticks
        self._mux(packets)
        self.frames += 1

    def copy(self, packets: Iterable[SoundPacket]) -> None:
        """Write sound unchanged, after the first image.

        Args:
            packets: Packets of the template's streams, in order within each stream.

        Raises:
            OSError: The file cannot be written.
            av.FFmpegError: The container rejects a packet.
        """
        for packet, track in packets:
            packet.stream = self._sound[track]
            self._write(packet)

    def close(self) -> None:
        """Write the last packets and the index. Idempotent.

        Raises:
            OSError: The file cannot be written.
            av.FFmpegError: The encoder failed.
        """
        if self._container is None or self._stream is None:
            return
        try:
            self._mux(self._stream.encode(None))
        finally:
            container, self._container, self._stream = self._container, None, None
            container.close()
        self.kept = self.seconds

    def _open(self, frame: av.VideoFrame) -> list[Packet[VideoStream]]:
        """Find an encoder that accepts the first image, write the header, return the packets."""
        time_base, pixel_aspect, sound = self._template
        # MP4 stores a stream's later start in ticks of the movie's own timescale.
        options = {"movie_timescale": str(time_base.denominator)}
        for encoder in encoders.CANDIDATES:
            container = av.open(
                self._file,
                "w",
                format=self._format.name,
                container_options={**self._format.options, **_OPTIONS, **options},
            )
            try:
                stream = encoders.add_stream(
                    container, encoder, *self._size, time_base, pixel_aspect
                )
                packets = stream.encode(frame)
            except encoders.ENCODER_ERRORS:
                continue
            self._container, self._stream, self.codec = container, stream, encoder.name
            self._sound = add_sound(container, sound)
            container.start_encoding()
            self._header_bytes = self._file.tell()
            return packets
        tried = ", ".join(encoder.name for encoder in encoders.CANDIDATES)
        raise RecordingError(
            f"cannot record {self._file.path}: no H.264 encoder works here (tried {tried}); "
            "reinstall PyAV's wheel, which includes one: pip install --force-reinstall av"
        )

    def _frame(self, image: NDArray[np.uint8], ticks: int) -> av.VideoFrame:
        """Return the image for the encoder: fitted, in yuv420p, with its timestamp."""
        fitted = fit(image, *self._size)
        frame = av.VideoFrame.from_numpy_buffer(fitted, "bgr24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts = ticks
        frame.time_base = self._template.time_base
        if ticks >= self._keyframe_at:
            frame.pict_type = PictureType.I
            self._keyframe_at = ticks + self._second * _KEYFRAME_SECONDS
        return frame

    def _bridge(self, ticks: int) -> None:
        """Write empty packets if the next image is further away than the container allows."""
        gap = self._format.longest_gap
        if gap and self._container and self._stream:
            for between in range(self._ticks + gap, ticks, gap):
                packet = cast("Packet[VideoStream]", av.Packet())
                packet.stream = self._stream
                packet.time_base = self._template.time_base
                packet.pts = packet.dts = between
                self._container.mux(packet)

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """Write images, each with a provisional duration; the next timestamp corrects it."""
        for packet in packets:
            packet.duration = self._duration
            self._write(packet)

    def _write(self, packet: Packet[VideoStream] | Packet[AudioStream]) -> None:
        if self._container:
            before = max(self._file.tell(), self._header_bytes)  # a header alone is not a video
            self._container.mux(packet)
            if self._file.tell() > before:
                self._file.commit()
                # The last packet may still wait in the muxer.
                self.kept = float(self._ticks / self._second)


def video_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the width and height in pixels of a video for an image.

    Both are even, because yuv420p has one colour sample for 2×2 pixels.

    Args:
        image: H×W×3.
    """
    height, width = image.shape[:2]
    return max(width + width % 2, _LEAST_SIDE), max(height + height % 2, _LEAST_SIDE)


def fit(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Fit an image of any size into a video without cropping it.

    Args:
        image: H×W×3 uint8.
        width: Width of the video in pixels.
        height: Height of the video in pixels.

    Returns:
        height×width×3 uint8. An image of the video's own size has its last row and column repeated
        if necessary; any other is scaled and centred on black.
    """
    if video_size(image) == (width, height):
        bottom, right = height - image.shape[0], width - image.shape[1]
        if not bottom and not right:
            return image
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        return np.asarray(padded, np.uint8)
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_width = max(1, round(image.shape[1] * scale))
    inner_height = max(1, round(image.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + inner_height, left : left + inner_width] = cv2.resize(
        image, (inner_width, inner_height), interpolation=method
    )
    return canvas
