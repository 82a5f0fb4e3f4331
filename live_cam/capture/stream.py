"""Streams from the network: HTTP, RTSP and whatever else FFmpeg opens by a URL."""

from __future__ import annotations

import time
from typing import Final

import av.error

from live_cam.capture.base import Picture
from live_cam.capture.decoder import Decoder
from live_cam.capture.live import GRACE, LiveSource
from live_cam.capture.video import Video
from live_cam.errors import CaptureError, UsageError

_TIMEOUT: Final = 10.0
"""Seconds without a word from the server after which it is lost."""
_OPTIONS: Final = {
    # Over UDP, which is the default, a lost packet is a grey smear for seconds.
    "rtsp_transport": "tcp",
    # Half a second is enough to know the codec; the default of 5 s delays the first picture.
    # What arrives meanwhile is kept and decoded at once (no `nobuffer`: it would throw the first
    # key picture away, and the ones until the next one with it).
    "analyzeduration": "500000",
}


class Stream(LiveSource):
    """A live stream: the newest picture, as soon as it is decoded."""

    def __init__(self, url: str, decoder: Decoder, *, grace: float = GRACE) -> None:
        """Decode the first picture. The decoder is closed with this, also when this fails.

        Args:
            url: Where to find the stream again when it is lost.
            decoder: The opened stream.
            grace: Seconds in which a lost stream may come back.

        Raises:
            CaptureError: The stream was lost before its first picture.
        """
        super().__init__(masked(url), grace=grace)
        self._url = url
        self._decoder: Decoder | None = decoder
        self._pictures = decoder.pictures()
        self._reason = "it ended"
        first = self._grab()
        if first is None:
            self._release()
            raise CaptureError(
                f"{self.name} answers, but sent no picture that can be decoded ({self._reason}); "
                "check whether another program plays it."
            )
        height, width = first.image.shape[:2]
        rate = "" if decoder.hides_rate else f" at {float(decoder.rate):.4g} fps"
        self.description = f"{width}×{height} {decoder.codec}{rate}"
        self._start(first)

    def _grab(self) -> Picture | None:
        if self._decoder is None:
            return None
        try:
            decoded = next(self._pictures, None)
        except av.error.FFmpegError as error:
            self._reason = _reason(error)
            return None
        if decoded is None:
            self._reason = "it ended"
            return None
        return Picture(decoded.image, time.monotonic())

    def _reopen(self) -> None:
        try:
            self._decoder = _open(self._url, self.name)
        except av.error.FFmpegError as error:
            self._reason = _reason(error)
        except UsageError:
            self._reason = "there is no video in it any more"
        else:
            self._pictures = self._decoder.pictures()

    def _release(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def _lost(self) -> str:
        return (
            f"{self.name} was lost ({self._reason}) and did not come back within "
            f"{self.grace:g} s; check the server and the network and start again."
        )


def open_stream(url: str, *, grace: float = GRACE) -> Stream | Video:
    """Open what a URL stands for.

    Args:
        url: With its scheme, such as `http://`; may contain a user's name and password.
        grace: Seconds in which a lost live stream may come back.

    Returns:
        A live stream, or a video where the server offers one with an end.

    Raises:
        UsageError: The URL is malformed, of an unknown scheme, or has no video behind it.
        CaptureError: The server does not answer, refuses, or sends no picture.
    """
    name = masked(url)
    try:
        decoder = _open(url, name)
    except av.error.ProtocolNotFoundError:
        raise UsageError(
            f"{name} has a scheme that FFmpeg does not know; give a URL that starts with "
            "http://, https:// or rtsp://."
        ) from None
    except av.error.FFmpegError as error:
        # Not `from error`: it holds the URL, with its password.
        raise CaptureError(f"{name} could not be opened: {_remedy(name, error)}") from None
    return Video(decoder, name) if decoder.paced else Stream(url, decoder, grace=grace)


def _open(url: str, name: str) -> Decoder:
    return Decoder(url, name=name, may_be_live=True, options=_OPTIONS, timeout=_TIMEOUT)


def masked(url: str) -> str:
    """Return a URL that can be shown: without user, password and query, which may hold secrets.

    Whatever stands before the last `@` is taken for credentials, since a password with a slash in
    it, which is against the rules, must not be shown either.
    """
    scheme, _, rest = url.partition("://")
    _, at, public = rest.rpartition("@")
    address, question, _ = public.partition("?")
    return f"{scheme}://{'***@' if at else ''}{address}{'?…' if question else ''}"


def _reason(error: av.error.FFmpegError) -> str:
    if isinstance(error, av.error.ExitError):  # what FFmpeg says when PyAV's timeout stops it
        return f"no answer within {_TIMEOUT:g} s"
    return error.strerror or type(error).__name__


def _remedy(name: str, error: av.error.FFmpegError) -> str:
    host = name.partition("://")[2].removeprefix("***@").partition("/")[0]
    if not host:
        return f"{_reason(error)}; check the URL."
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return (
            f"{host} asks for a name and a password, or refuses those given; write them into the "
            "URL as http://USER:PASSWORD@…"
        )
    if isinstance(error, av.error.InvalidDataError):
        return f"{host} answers, but what it sends is no video; check the rest of the URL."
    if isinstance(error, (av.error.HTTPClientError, av.error.HTTPServerError)):
        return f"{host} answers: {error.strerror}; check the rest of the URL."
    return f"{host} cannot be reached ({_reason(error)}); check the address and the network."
