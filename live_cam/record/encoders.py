"""H.264 encoders, in order of preference, and a test of which ones work on this machine."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import ColorRange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.container import OutputContainer
    from av.video.stream import VideoStream

ENCODER_ERRORS: Final = (av.FFmpegError, ValueError)
"""What PyAV raises if an encoder is unknown, does not open, or rejects an image."""

NOMINAL_FPS: Final = 30
"""The frame rate declared to encoders. Timestamps alone decide when an image is shown."""

_BT709 = 1  # the code of BT.709 primaries, transfer and matrix in ITU-T H.273
_BITS_PER_PIXEL = 0.15
_IMAGES_BETWEEN_KEYFRAMES = 100_000  # practically never: the caller requests them by time
_PROBE_SIZE = (1280, 720)
# Each thread encodes one slice of the image, and each slice costs some compression.
_MOST_THREADS = 4


class Encoder(NamedTuple):
    """An H.264 encoder of FFmpeg with its options for quality and low latency."""

    name: str
    options: Mapping[str, str]
    constant_quality: bool = False
    """Whether the options set a quality. Otherwise a bit rate is required."""
    needs_rate: bool = True
    """Whether it requires a frame rate, which Matroska then declares for the video."""


CANDIDATES: tuple[Encoder, ...] = (
    Encoder(
        "h264_nvenc",
        {
            "preset": "p4",
            "tune": "ll",
            "rc": "vbr",
            "cq": "23",
            "delay": "0",
            "zerolatency": "1",
            "forced-idr": "1",
        },
        constant_quality=True,
    ),
    Encoder("h264_videotoolbox", {"realtime": "1"}),
    Encoder(
        "libx264",
        {
            "preset": "veryfast",
            "tune": "zerolatency",
            "crf": "20",
            "x264-params": f"fps={NOMINAL_FPS}",
        },
        constant_quality=True,
        needs_rate=False,
    ),
    Encoder("h264_mf", {"scenario": "camera_record"}),
    Encoder("libopenh264", {}),
)
"""Hardware first, to leave the CPU to the network."""


def add_stream(
    container: OutputContainer,
    encoder: Encoder,
    width: int,
    height: int,
    time_base: Fraction,
    pixel_aspect: Fraction | None = None,
) -> VideoStream:
    """Add a video stream to a container and open its encoder.

    Args:
        container: A container without streams.
        encoder: One of `CANDIDATES`.
        width: Width of the images in pixels, even.
        height: Height of the images in pixels, even.
        time_base: Seconds per tick of the images' timestamps.
        pixel_aspect: A pixel's width divided by its height, or None to leave it unspecified.

    Returns:
        The stream. It accepts yuv420p frames in BT.709, limited range.

    Raises:
        ENCODER_ERRORS: The encoder does not exist or does not open at this size.
    """
    bit_rate = 0 if encoder.constant_quality else width * height * NOMINAL_FPS * _BITS_PER_PIXEL
    stream = container.add_stream(
        encoder.name,
        rate=NOMINAL_FPS,
        options=dict(encoder.options),
        width=width,
        height=height,
        pix_fmt="yuv420p",
        time_base=time_base,
        bit_rate=int(bit_rate),
    )
    video = cast("VideoStream", stream)
    codec = video.codec_context
    codec.framerate = Fraction(NOMINAL_FPS if encoder.needs_rate else 0)
    codec.max_b_frames = 0
    codec.gop_size = _IMAGES_BETWEEN_KEYFRAMES
    codec.thread_count = min(_MOST_THREADS, os.cpu_count() or 1)
    if pixel_aspect:
        codec.sample_aspect_ratio = pixel_aspect
    codec.color_range = ColorRange.MPEG
    codec.color_primaries = codec.color_trc = codec.colorspace = _BT709
    codec.open()
    return video


def available_encoders() -> tuple[str, ...]:
    """Test every encoder with a 1280×720 image.

    Returns:
        FFmpeg's names of the encoders that work, in order of preference.
    """
    return tuple(encoder.name for encoder in CANDIDATES if _works(encoder))


def _works(encoder: Encoder) -> bool:
    width, height = _PROBE_SIZE
    grey = np.full((height * 3 // 2, width), 128, np.uint8)
    container = av.open(io.BytesIO(), "w", format="matroska")
    try:
        stream = add_stream(container, encoder, width, height, Fraction(1, NOMINAL_FPS))
        frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
        frame.pts = 0
        return bool(stream.encode(frame) + stream.encode(None))
    except ENCODER_ERRORS:
        return False
