"""Video files, and finite videos on servers: every image at its exact time."""

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
_LOCAL: Final = {"protocol_whitelist": "file,crypto,data"}
"""A file may be a list of other files (HLS), but none of them is fetched from a server."""


class Video(PacedSource):
    """The images of a video, timed by its own clock, which starts at 0 with the first one."""

    def __init__(self, decoder: Decoder, name: str) -> None:
        """Decode the first image. The decoder is closed with this, also when this fails.

        Args:
            decoder: The opened video.
            name: What the user knows it as.

        Raises:
            UsageError: There is no image in it that can be decoded.
            CaptureError: It was lost before its first image.
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
                    f"No image in {name} can be decoded; the file is empty or broken, or its "
                    f"images have more than {MOST_VIDEO_PIXELS // 10**6} million pixels: check "
                    "whether another program plays it."
                )
        except LiveCamError:
            self._release()
            raise
        height, width = self._first.image.shape[:2]
        self.description = f"{width}×{height} {decoder.codec} at {float(decoder.rate):.4g} fps"

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Yield what is to be decoded."""
        return self._decoder.packets()

    def _next(self) -> RawFrame | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._decode()

    def _decode(self) -> RawFrame | None:
        reason = None
        try:
            decoded = next(self._images, None)
        except av.error.FFmpegError as error:
            reason = lost(self.name, error)
        if reason is not None:  # not in the context of FFmpeg's error, which holds the URL
            raise CaptureError(reason)
        if decoded is None:
            return None
        return RawFrame(decoded.image, float(self._place(decoded.time)))

    def _place(self, time: Fraction | None) -> Fraction:
        """Return when the image is shown, on a clock that starts at 0 and never goes back.

        Nor does it leap over a day, for which the image would stand still.
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
    """Say that a video was lost while it was read.

    Args:
        name: What the user knows it as.
        error: What FFmpeg says.
    """
    return (
        f"{name} was lost while it was read ({error.strerror or type(error).__name__}); "
        "check the disk or the network and start again."
    )


def open_video(path: Path) -> Video:
    """Open a video file.

    Args:
        path: An existing file.

    Raises:
        UsageError: It is no video, or one that cannot be read or decoded.
        CaptureError: It was lost before its first image.
    """
    return Video(open_decoder(path), path.name)


def open_decoder(path: Path) -> Decoder:
    """Open a video file; nothing is decoded yet.

    Args:
        path: An existing file.

    Raises:
        UsageError: It is no video, or one that cannot be read.
    """
    try:
        # The prefix: FFmpeg would take the part of a name before its first colon for a protocol.
        return Decoder(f"file:{path}", name=path.name, options=_LOCAL)
    except (av.error.InvalidDataError, av.error.PermissionError) as error:
        # FFmpeg also says so of a list of files that it does not follow.
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} may not be read; change its permissions.") from None
        raise UsageError(
            f"{path} is not a video, or it is cut off or broken; check whether another program "
            "plays it."
        ) from error
    except av.error.FFmpegError as error:
        raise UsageError(
            f"{path} cannot be read as a video ({error.strerror}); check whether another program "
            "plays it."
        ) from error
