"""Streams from the network: HTTP, RTSP and whatever else FFmpeg opens by a URL."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

import av.error

from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.feed import TIMEOUT, Feed
from live_cam.capture.jpeg import WholeJPEGs
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

    from live_cam.capture.backlog import Arrival
    from live_cam.capture.decoder import Decoded, Decoder

_LOOK: Final = 0.25
_FIRST_IMAGE_WAIT: Final = 20.0
"""Seconds; some cameras send an image that can be decoded by itself every ten only."""
_UNDECODABLE: Final = "no image that can be decoded"


class Stream(LiveSource):
    """A live stream: the newest image, as soon as it is decoded."""

    kind = "stream"
    patience = TIMEOUT

    def __init__(self, url: str, feed: Feed, *, reconnect: float = RECONNECT_SECONDS) -> None:
        """Decode the first image. The feed is abandoned with this, also when this fails.

        Args:
            url: Where to find the stream again when it is lost.
            feed: The opened stream.
            reconnect: Seconds in which a lost stream may come back; 0: none.

        Raises:
            CaptureError: The stream was lost before its first image.
        """
        super().__init__(masked(url), reconnect=reconnect)
        self._url = url
        self._feed: Feed | None = feed
        self._jpegs = WholeJPEGs()
        self._given = False
        first = self._grab()
        if first is None:
            why = _end(feed)
            self._release()
            raise CaptureError(
                f"{self.name} answers, but sent no image that can be decoded ({why}); "
                "check whether another program plays it."
            )
        self.description = self._describe(first.image)
        self._start(first)

    def _grab(self) -> RawFrame | None:
        feed, began = self._feed, time.monotonic()
        limit = self.patience if self._given else _FIRST_IMAGE_WAIT
        silent = True
        while feed is not None and not self._stop.is_set():
            arrival = feed.next(_LOOK)
            if feed.decoder is not None and feed.decoder.paced:
                self._reason = self._lost_by("there is a video with an end now")
                return None
            if arrival is not None and feed.decoder is not None:
                silent = False
                raw = self._raw_frame(feed.decoder, arrival)
                if raw is not None:
                    self._given = True
                    return raw
            elif feed.ended:
                self._reason = self._lost_by(_end(feed))
                return None
            if time.monotonic() - began > limit:
                why = f"no answer within {limit:g} s" if silent else _UNDECODABLE
                self._reason = self._lost_by(why)
                return None
        return None

    def _raw_frame(self, decoder: Decoder, arrival: Arrival) -> RawFrame | None:
        if decoder.codec == "mjpeg" and self._jpegs.mended(bytes(arrival.packet)) is None:
            self._watch.see_damaged()
            return None
        newest: deque[Decoded] = deque(maxlen=1)
        try:
            newest.extend(decoder.decode(arrival.packet))
        except av.error.FFmpegError:
            self._watch.see_damaged()
        return RawFrame(newest[0].image, arrival.timestamp) if newest else None

    def _reopen(self) -> None:
        self._given = False
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

    def _lost_by(self, why: str) -> Trouble:
        return Trouble(f"stream lost ({why}), looking for it", f"{why}; {self._remedy()}")

    def _remedy(self) -> str:
        return "check the server and the network and start again."


class RemoteVideo(Video):
    """A video with an end on a server: whoever closes it does not wait for the server."""

    def __init__(self, feed: Feed, decoder: Decoder, name: str) -> None:
        """Decode the first image. The feed is abandoned with this, also when this fails.

        Args:
            feed: The opened video.
            decoder: Its decoder.
            name: What the user knows it as.

        Raises:
            UsageError: There is no image in it that can be decoded.
            CaptureError: It was lost before its first image.
        """
        self._feed = feed
        super().__init__(decoder, name)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        while not self._closed.is_set():
            arrival = self._feed.next(_LOOK)
            if arrival is not None:
                yield arrival.packet
            elif self._feed.error is not None:
                raise self._feed.error
            elif self._feed.ended:
                return

    def _release(self) -> None:
        self._feed.abandon()


def open_stream(url: str, *, reconnect: float = RECONNECT_SECONDS) -> Stream | Video:
    """Open what a URL stands for.

    Args:
        url: With its scheme, such as `http://`; may contain a user's name and password.
        reconnect: Seconds in which a lost live stream may come back; 0: none.

    Returns:
        A live stream, or a video where the server offers one with an end.

    Raises:
        UsageError: The URL is malformed, of an unknown scheme, or has no video behind it.
        CaptureError: The server does not answer, refuses, or sends no image.
    """
    name = masked(url)
    feed = Feed(url, name)
    decoder = feed.wait_until_open()
    if decoder is None:
        # Not chained: FFmpeg's error holds the URL, with its password.
        raise _refusal(name, feed.error)
    if decoder.paced:
        return RemoteVideo(feed, decoder, name)
    return Stream(url, feed, reconnect=reconnect)


def _refusal(name: str, error: Exception | None) -> CaptureError | UsageError:
    """Return the error for a stream that cannot be opened."""
    if isinstance(error, UsageError):
        return error
    if isinstance(error, UnicodeError):
        return UsageError(f"{name} is no URL: it has characters that no URL can have.")
    if isinstance(error, av.error.ProtocolNotFoundError):
        return UsageError(
            f"{name} has a scheme that FFmpeg does not know; give a URL that starts with "
            "http://, https:// or rtsp://."
        )
    return CaptureError(f"{name} could not be opened: {_remedy(name, error)}")


def _end(feed: Feed) -> str:
    """Say why a stream ended, in a few words without its URL."""
    if feed.error is not None:
        return _reason(feed.error)
    if not feed.ended:
        return _UNDECODABLE
    return "it ended"


def _reason(error: Exception | None) -> str:
    if isinstance(error, av.error.ExitError):  # what FFmpeg says when PyAV's timeout stops it
        return f"no answer within {TIMEOUT:g} s"
    if isinstance(error, UsageError):
        return "there is no video in it any more"
    # Not its text, which holds the URL.
    strerror = error.strerror if isinstance(error, av.error.FFmpegError) else None
    return strerror or type(error).__name__


def _remedy(name: str, error: Exception | None) -> str:
    scheme, _, rest = name.partition("://")
    host = rest.removeprefix("***@").partition("/")[0]
    if not host:
        return f"{_reason(error)}; check the URL."
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return (
            f"{host} asks for a name and a password, or refuses those given; write them into the "
            f"URL as {scheme}://USER:PASSWORD@…"
        )
    if isinstance(error, av.error.InvalidDataError):
        return f"{host} answers, but what it sends is no video; check the rest of the URL."
    if isinstance(error, (av.error.HTTPClientError, av.error.HTTPServerError)):
        return f"{host} answers: {_reason(error)}; check the rest of the URL."
    return f"{host} cannot be reached ({_reason(error)}); check the address and the network."
