"""Writes test videos with sound, and reads the frames and packets of any video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

SHADES = [
    (blue, green, red) for blue in (40, 110, 180) for green in (60, 130, 200) for red in (50, 140)
]
"""Colours (BGR) that stay distinct through any codec."""
UNEVEN = [0, 40, 75, 200, 240, 241, 300, 1100, 1133, 1166, 1500, 1900]
"""Times in milliseconds, uneven like those of phones and screen recorders."""
SAMPLE_RATE = 48000


class Packet(NamedTuple):
    """An encoded packet of sound and its time in seconds."""

    time: Fraction
    data: bytes


def shade(number: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """Return an image in one of the `SHADES`, chosen by a number."""
    return np.full((height, width, 3), SHADES[number % len(SHADES)], np.uint8)


def write_clip(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    times: Sequence[int] | None = None,
    *,
    codec: str = "libx264",
    sound: Sequence[str] = (),
    sound_span: tuple[int, int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    pixel_aspect: Fraction | None = None,
    pixels: str = "yuv420p",
    key_every: int = 250,
) -> Path:
    """Write a video.

    Args:
        path: The file to write.
        images: H×W×3 uint8, BGR.
        times: Milliseconds, or None for 25 images per second.
        codec: FFmpeg's name of the video encoder; libx264 uses B-frames.
        sound: FFmpeg's names of the audio encoders, one per track; each track has its own tone.
        sound_span: Start and end of the sound in milliseconds, or None to match the images.
        time_base: Seconds per tick of the images' times.
        pixel_aspect: A pixel's width divided by its height.
        pixels: The pixel format.
        key_every: The largest distance between key frames.
    """
    times = [40 * number for number in range(len(images))] if times is None else times
    begin, end = sound_span or (0, times[-1] + 40)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = key_every
        if codec == "libx264":
            stream.options = {"crf": "12", "preset": "veryfast", "bf": "2"}
        elif codec == "libvpx":
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        tracks: list[Any] = [container.add_stream(name, rate=SAMPLE_RATE) for name in sound]
        for number, track in enumerate(tracks):
            track.layout, track.bit_rate = "mono", 96_000
            track.metadata["language"] = ("eng", "fra", "deu")[number]
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = round(Fraction(time, 1000) / time_base)
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        for number, track in enumerate(tracks):
            _write_tone(container, track, 440 * (number + 1), begin, end)
        container.mux(stream.encode(None))
    return path


def _write_tone(container: Any, track: Any, pitch: int, begin: int, end: int) -> None:
    first, last = (SAMPLE_RATE * time // 1000 for time in (begin, end))
    resampler = av.AudioResampler(
        format=track.format, layout="mono", rate=SAMPLE_RATE, frame_size=track.frame_size or 1024
    )
    step = 1024
    for start in range(first, last, step):
        samples = np.arange(start, min(start + step, last))
        wave = np.sin(2 * np.pi * pitch * samples / SAMPLE_RATE).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        for resampled in resampler.resample(frame):
            container.mux(track.encode(resampled))
    for resampled in resampler.resample(None):
        container.mux(track.encode(resampled))
    container.mux(track.encode(None))


def frames(path: Path) -> list[tuple[Fraction, NDArray[np.uint8]]]:
    """Return every image of a video (BGR) with its exact time in seconds."""
    with av.open(str(path)) as container:
        return [
            ((frame.pts or 0) * (frame.time_base or Fraction(0)), frame.to_ndarray(format="bgr24"))
            for frame in container.decode(video=0)
        ]


def times(path: Path) -> list[Fraction]:
    return [time for time, _ in frames(path)]


def sound(path: Path, track: int = 0) -> list[Packet]:
    """Return every packet of an audio track."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        return [
            Packet((packet.pts or 0) * (packet.time_base or Fraction(0)), bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def number_of(image: NDArray[np.uint8]) -> int:
    """Return the number of an image's shade, taken from the lower right corner, free of text."""
    corner = image[-image.shape[0] // 4 :, -image.shape[1] // 4 :].reshape(-1, 3).mean(0)
    distances = [np.abs(corner - shade).sum() for shade in np.array(SHADES)]
    return int(np.argmin(distances))
