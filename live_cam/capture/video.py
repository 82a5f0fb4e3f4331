"""Finite videos in files and on servers: every image at its exact time."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av.error

from live_cam.capture.base import PacedSource, RawFrame
from live_cam.capture.decoder import Decoder
from live_cam.errors import CaptureError, LiveCamError, UsageError
from live_cam.settings import MOST_VIDEO_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.packet import Packet
    from av.video.stream import VideoStream

_LONGEST_GAP: Final = Fraction(24 * 3600)
"""Seconds."""
_LOCAL_ONLY: Final = {"protocol_whitelist": "file,crypto,data"}
"""A file may list other files (HLS), but none of them may be fetched from a server."""


class Video(PacedSource):
    """The images of a video, timed by its own clock, which starts at 0 with the first image."""

    def __init__(self, decoder: Decoder, name: str) -> None:
        """Decode the first image, and take ownership of the decoder, even on failure.

        Args:
            decoder: The open video.
            name: Display name.

        Raises:
            UsageError: No image of the video can be decoded.
            CaptureError: The video was lost before its first image.
        """
        super().__init__(name)
        self._decoder = decoder
        self._images = decoder.images(self._packets())
        self._step = 1 / Fraction(decoder.rate)
        self._start: Fraction | None = None
        self._last = -self._step
        try:
            self._first = self._decode()
            if self._first is None:
                raise UsageError(
                    f"No image in {name} can be decoded: the file is empty or damaged, or its "
                    f"images have more than {MOST_VIDEO_PIXELS // 10**6} million pixels; check "
                    "whether another program can play it."
                )
        except LiveCamError:
            self._release()
            raise
        height, width = self._first.image.shape[:2]
        self.description = f"{width}×{height} {decoder.codec} at {float(decoder.rate):.4g} fps"

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield the packets to decode."""
        return self._decoder.packets()

    def _next(self) -> RawFrame | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._decode()

    def _decode(self) -> RawFrame | None:
        message = None
        try:
            decoded = next(self._images, None)
        except av.error.FFmpegError as error:
            message = lost(self.name, error)
        if message is not None:  # raised outside, so that FFmpeg's error with the URL is no context
            raise CaptureError(message)
        if decoded is None:
            return None
        return RawFrame(decoded.image, float(self._timestamp(decoded.time)))

    def _timestamp(self, time: Fraction | None) -> Fraction:
        """Convert a time to a clock that starts at 0 and never runs backwards.

        Nor does it jump by more than a day, for which the image would stand still.
        """
        expected = self._last + self._step
        if time is None:
            self._last = expected
            return expected
        if self._start is None or not 0 < time - self._start - self._last <= _LONGEST_GAP:
            self._start = time - expected
        self._last = time - self._start
        return self._last

    def _release(self) -> None:
        self._decoder.close()


def lost(name: str, error: av.error.FFmpegError) -> str:
    """Return the error message for a video that was lost during a read.

    Args:
        name: Display name.
        error: FFmpeg's error.
    """
    return (
        f"{name} was lost during a read ({error.strerror or type(error).__name__}); "
        "check the disk or the network and start again."
    )


def open_video(path: Path) -> Video:
    """Open a video file.

    Args:
        path: An existing file.

    Raises:
        UsageError: The file is not a video, or cannot be read or decoded.
        CaptureError: The file was lost before its first image.
    """
    return Video(open_decoder(path), path.name)


def open_decoder(path: Path) -> Decoder:
    """Open a video file, without decoding anything yet.

    Args:
        path: An existing file.

    Raises:
        UsageError: The file is not a video or cannot be read.
    """
    try:
        # Without the prefix, FFmpeg takes a file name up to its first colon for a protocol.
        return Decoder(f"file:{path}", name=path.name, options=_LOCAL_ONLY)
    except (av.error.InvalidDataError, av.error.PermissionError) as error:
        # FFmpeg raises PermissionError also for a playlist that it does not follow.
        if not os.access(path, os.R_OK):
            raise UsageError(f"no permission to read {path}; change its permissions.") from None
        raise UsageError(
            f"{path} is not a video, or it is truncated or damaged; check whether another program "
            "can play it."
        ) from error
    except av.error.FFmpegError as error:
        raise UsageError(
            f"{path} cannot be read as a video ({error.strerror}); check whether another program "
            "can play it."
        ) from error
