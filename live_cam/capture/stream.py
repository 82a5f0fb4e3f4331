"""Network streams: HTTP, RTSP and everything else that FFmpeg opens by URL."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

import av.error

from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.feed import TIMEOUT, Feed
from live_cam.capture.jpeg import JPEGCheck
from live_cam.capture.live import LiveSource
from live_cam.capture.masking import masked
from live_cam.capture.video import Video
from live_cam.errors import CaptureError, UsageError
from live_cam.settings import RECONNECT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from live_cam.capture.decoder import Decoded, Decoder
    from live_cam.capture.feed import Arrival

_POLL_INTERVAL: Final = 0.25
_FIRST_IMAGE_WAIT: Final = 20.0
"""Seconds. Some cameras send a key frame only every ten seconds."""
_UNDECODABLE: Final = "no decodable image"


class Stream(LiveSource):
    """A live stream that delivers each image as soon as it is decoded."""

    kind = "stream"
    patience = TIMEOUT

    def __init__(self, url: str, feed: Feed, *, reconnect: float = RECONNECT_SECONDS) -> None:
        """Decode the first image, and take ownership of the feed, even on failure.

        Args:
            url: The URL for reconnecting.
            feed: The open stream.
            reconnect: Seconds allowed for reconnecting to a lost stream; 0 disables it.

        Raises:
            CaptureError: The stream was lost before its first image.
        """
        super().__init__(masked(url), reconnect=reconnect)
        self._url = url
        self._feed: Feed | None = feed
        self._jpeg_check = JPEGCheck()
        self._delivered = False
        first = self._grab()
        if first is None:
            reason = _end_reason(feed)
            self._release()
            raise CaptureError(
                f"{self.name} responds but sends no decodable image ({reason}); "
                "check whether another program can play it."
            )
        self.description = self._describe(first.image)
        self._start(first)

    def _grab(self) -> RawFrame | None:
        feed, began = self._feed, time.monotonic()
        limit = self.patience if self._delivered else _FIRST_IMAGE_WAIT
        silent = True
        while feed is not None and not self._stop.is_set():
            arrival = feed.next(_POLL_INTERVAL)
            if feed.decoder is not None and feed.decoder.paced:
                self._reason = self._loss_reason("the server now sends a finite video")
                return None
            if arrival is not None and feed.decoder is not None:
                silent = False
                raw = self._raw_frame(feed.decoder, arrival)
                if raw is not None:
                    self._delivered = True
                    return raw
            elif feed.ended:
                self._reason = self._loss_reason(_end_reason(feed))
                return None
            if time.monotonic() - began > limit:
                reason = f"no response within {limit:g} s" if silent else _UNDECODABLE
                self._reason = self._loss_reason(reason)
                return None
        return None

    def _raw_frame(self, decoder: Decoder, arrival: Arrival) -> RawFrame | None:
        packet = arrival.packet
        if decoder.codec == "mjpeg" and self._jpeg_check.completed(bytes(packet)) is None:
            self._watch.record_damaged()
            return None
        newest: deque[Decoded] = deque(maxlen=1)
        try:
            newest.extend(decoder.decode(packet))
        except av.error.FFmpegError:
            self._watch.record_damaged()
        return RawFrame(newest[0].image, arrival.timestamp) if newest else None

    def _reopen(self) -> None:
        self._delivered = False
        self._feed = Feed(self._url, self.name)

    def _release(self) -> None:
        if self._feed is not None:
            self._feed.abandon()
            self._feed = None

    def _describe(self, image: NDArray[np.uint8]) -> str:
        height, width = image.shape[:2]
        description = f"{width}×{height}"
        decoder = self._feed.decoder if self._feed else None
        if decoder is None:
            return description
        rate = "" if decoder.hides_rate else f" at {float(decoder.rate):.4g} fps"
        return f"{description} {decoder.codec}{rate}"

    def _loss_reason(self, reason: str) -> Trouble:
        return Trouble(f"stream lost ({reason}), reconnecting", f"{reason}; {self._remedy()}")

    def _remedy(self) -> str:
        return "check the server and the network and start again."


class RemoteVideo(Video):
    """A finite video on a server. Closing it does not wait for the server."""

    def __init__(self, feed: Feed, decoder: Decoder, name: str) -> None:
        """Decode the first image, and take ownership of the feed, even on failure.

        Args:
            feed: The open video.
            decoder: Its decoder.
            name: Display name.

        Raises:
            UsageError: No image of the video can be decoded.
            CaptureError: The video was lost before its first image.
        """
        self._feed = feed
        super().__init__(decoder, name)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        while not self._closed.is_set():
            arrival = self._feed.next(_POLL_INTERVAL)
            if arrival is not None:
                yield arrival.packet
            elif self._feed.error is not None:
                raise self._feed.error
            elif self._feed.ended:
                return

    def _release(self) -> None:
        self._feed.abandon()


def open_stream(url: str, *, reconnect: float = RECONNECT_SECONDS) -> Stream | Video:
    """Open a URL.

    Args:
        url: Includes the scheme, such as `http://`, and possibly a user name and password.
        reconnect: Seconds allowed for reconnecting to a lost live stream; 0 disables it.

    Returns:
        A live stream, or a video if the server offers a finite one.

    Raises:
        UsageError: The URL is malformed, has an unknown scheme, or leads to no video.
        CaptureError: The server does not respond, rejects the request, or sends no image.
    """
    name = masked(url)
    feed = Feed(url, name)
    decoder = feed.wait_until_open()
    if decoder is None:
        # Not chained: FFmpeg's error contains the URL with its password.
        raise _opening_error(name, feed.error)
    if decoder.paced:
        return RemoteVideo(feed, decoder, name)
    return Stream(url, feed, reconnect=reconnect)


def _opening_error(name: str, error: Exception | None) -> CaptureError | UsageError:
    """Return the error for a URL that cannot be opened."""
    if isinstance(error, UsageError):
        return error
    if isinstance(error, UnicodeError):
        return UsageError(f"{name} is not a URL: it contains characters that no URL may have.")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return UsageError(
            f"{name} has a scheme that FFmpeg does not support; give a URL that starts with "
            "http://, https:// or rtsp://."
        )
    return CaptureError(f"{name} could not be opened: {_remedy(name, error)}")


def _end_reason(feed: Feed) -> str:
    """Return why a stream ended, in a few words and without its URL."""
    if feed.error is not None:
        return _reason(feed.error)
    if not feed.ended:
        return _UNDECODABLE
    return "it ended"


def _reason(error: Exception | None) -> str:
    if isinstance(error, av.error.ExitError):  # FFmpeg's error when PyAV's timeout interrupts it
        return f"no response within {TIMEOUT:g} s"
    if isinstance(error, UsageError):
        return "it no longer contains a video"
    # Not its text, which contains the URL.
    strerror = error.strerror if isinstance(error, av.error.FFmpegError) else None
    return strerror or type(error).__name__


def _remedy(name: str, error: Exception | None) -> str:
    scheme, _, rest = name.partition("://")
    host = rest.removeprefix("***@").partition("/")[0]
    if not host:
        return f"{_reason(error)}; check the URL."
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return (
            f"{host} requires a user name and password, or rejects those given; put them in the "
            f"URL as {scheme}://USER:PASSWORD@…"
        )
    if isinstance(error, av.error.InvalidDataError):
        return f"{host} responds, but sends no video; check the rest of the URL."
    if isinstance(error, (av.error.HTTPClientError, av.error.HTTPServerError)):
        return f"{host} responds with an error: {_reason(error)}; check the rest of the URL."
    return f"{host} cannot be reached ({_reason(error)}); check the address and the network."
