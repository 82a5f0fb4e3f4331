"""Faults of a network stream, produced by a real server on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.capture import feed, stream, watch
from live_cam.capture.decoder import Decoder
from live_cam.capture.stream import Stream, open_stream
from live_cam.errors import CaptureError
from live_cam.frame import Frame
from tests.support.media import BLUE, GREEN, colour_of, marked
from tests.support.server import Server

PATIENCE = 0.6


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts."""
    for module in (feed, stream):
        monkeypatch.setattr(module, "TIMEOUT", PATIENCE)
    monkeypatch.setattr(Stream, "patience", PATIENCE)
    monkeypatch.setattr(stream, "_FIRST_IMAGE_WAIT", 2 * PATIENCE)


def _open(server: Server, *, reconnect: float = 60) -> Stream:
    source = open_stream(f"http://{server.address}/video", reconnect=reconnect)
    assert isinstance(source, Stream)
    return source


def _until(source: Stream, wanted: Callable[[Frame], bool]) -> Frame:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        frame = source.read()
        assert frame is not None
        if wanted(frame):
            return frame
    return pytest.fail("the wanted image did not come")


def _shows(colour: str) -> Callable[[Frame], bool]:
    return lambda frame: colour_of(frame.image, 0.25, 0.25) == colour


def _until_trouble(source: Stream, beginning: str) -> str:
    """Wait for a trouble that starts with this text, and return it."""
    seen = set()
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        trouble = source.trouble
        if trouble is not None and trouble.startswith(beginning):
            return trouble
        seen.add(trouble)
        time.sleep(0.01)
    return pytest.fail(f"{beginning!r} was never reported, only {seen}")


def _drain(source: Stream) -> None:
    while source.read() is not None:
        pass


def test_a_dropped_connection_is_reopened(server: Server) -> None:
    with _open(server) as source:
        assert source.read() is not None
        server.image = marked(BLUE)
        server.drop()
        _until(source, _shows("blue"))
        assert len(server.authorizations) == 2


def test_a_restarted_server_is_reconnected_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with Server() as server:
        source = _open(server)
    with source:
        trouble = _until_trouble(source, "stream lost (")
        assert trouble.endswith(" of 60 s")
        with Server(server.port) as again:
            again.image = marked(BLUE)
            _until(source, _shows("blue"))
            assert source.trouble is None
            assert source.read() is not None
            logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 2
    assert logged[0] == f"Lost http://{server.address}/video; reconnecting for up to 60 s."
    assert logged[1].startswith(f"Reconnected to http://{server.address}/video after ")


@pytest.mark.usefixtures("impatient")
def test_a_stalled_server_is_requested_again(server: Server) -> None:
    with _open(server) as source:
        server.paused.set()
        _until_trouble(source, "stream lost (no response within 0.6 s), reconnecting…")
        server.image = marked(BLUE)
        server.paused.clear()
        while source.trouble is not None:
            time.sleep(0.01)
        assert len(server.authorizations) > 1


@pytest.mark.usefixtures("impatient")
def test_a_stream_recovers_from_garbage(server: Server) -> None:
    with _open(server) as source:
        server.garbage.set()
        _until_trouble(source, "stream lost (")
        server.image = marked(BLUE)
        server.garbage.clear()
        while source.trouble is not None:
            time.sleep(0.01)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_sends_only_garbage_is_an_error(server: Server) -> None:
    server.garbage.set()
    with pytest.raises(CaptureError, match=server.address):
        _open(server)


@pytest.mark.usefixtures("impatient")
def test_a_loss_is_final_without_time_to_reconnect() -> None:
    with Server() as server:
        source = _open(server, reconnect=0)
    with source:
        with pytest.raises(CaptureError, match=r"video was lost: .*; check the server") as caught:
            _drain(source)
        assert "did not come back" not in str(caught.value)


def test_close_does_not_wait_for_a_silent_server(server: Server) -> None:
    with _open(server) as source:
        source.read()
        server.silent.set()
        server.drop()
        while len(server.authorizations) < 2:  # until the second request, which stays unanswered
            time.sleep(0.01)
    assert source.read() is None
    waiting = [thread.name for thread in threading.enumerate() if "feed" in thread.name]
    assert waiting, "close waited for the server"


def test_truncated_images_are_skipped_and_reported(server: Server) -> None:
    with _open(server) as source:
        _until(source, lambda frame: frame.index == 3)
        server.image = marked(BLUE)
        server.truncated = 30
        _until_trouble(source, "stream sends damaged images")
        _until(source, _shows("blue"))
    assert server.truncated == 0


def test_a_truncated_image_is_never_shown(server: Server) -> None:
    server.image = np.full((480, 640, 3), 255, np.uint8)
    with _open(server) as source:
        for round_number in range(20):
            server.truncated = round_number % 2
            frame = source.read()
            assert frame is not None
            assert frame.image.min() > 240, "the missing part, filled with grey"


def test_parts_shorter_than_declared_do_not_end_the_stream(server: Server) -> None:
    with _open(server) as source:
        source.read()
        server.image = marked(BLUE)
        server.short = 3
        _until(source, lambda frame: not server.short and _shows("blue")(frame))
        assert len(server.authorizations) < 4


def test_a_new_image_size_is_accepted_and_reported(server: Server) -> None:
    with _open(server) as source:
        assert source.description == "64×48 mjpeg"
        server.image = marked(GREEN, 96, 80)
        frame = _until(source, lambda frame: frame.image.shape == (80, 96, 3))
        assert colour_of(frame.image, 0.25, 0.25) == "green"
        assert source.description == "96×80 mjpeg"
        assert source.trouble == "stream now sends 96×80"


def test_a_frozen_stream_is_reported_and_continues(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "_LASTING", 0.3)
    with _open(server) as source:
        _until_trouble(source, "stream seems frozen")
        while not caplog.records:
            time.sleep(0.01)
        server.image = marked(BLUE)
        while source.trouble is not None:
            time.sleep(0.01)
    assert len(caplog.records) == 1


def test_black_images_are_reported(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LASTING", 0.3)
    server.image = np.zeros((48, 64, 3), np.uint8)
    with _open(server) as source:
        _until_trouble(source, "stream sends only black images")


# ---- latency -----------------------------------------------------------------------------------

_BITS = 20
_SIDE = 16


def _numbered(number: int) -> NDArray[np.uint8]:
    """Return an image that encodes its number as a row of bright and dark squares."""
    bits = [255 * (number >> bit & 1) for bit in range(_BITS)]
    row = np.kron(np.array(bits, np.uint8)[None], np.ones((_SIDE, _SIDE), np.uint8))
    return np.dstack([row] * 3)


def _number(image: NDArray[np.uint8]) -> int:
    middle = image[_SIDE // 2, _SIDE // 2 :: _SIDE, 0]
    return sum(1 << bit for bit, value in enumerate(middle) if value > 127)


class _Counting(Server):
    """Sends numbered images."""

    def _part(self) -> bytes:
        self.image = _numbered(self.sent)
        return super()._part()


def test_a_slow_reader_receives_recent_images() -> None:
    with _Counting() as server:
        server.pause = 0.01
        with _open(server) as source:
            behind = []
            for _ in range(20):
                time.sleep(0.1)
                frame = source.read()
                assert frame is not None
                behind.append(server.sent - _number(frame.image))
    assert server.sent > 2 * len(behind)
    assert max(behind) < 20, f"images behind the server: {behind}"


def test_a_slow_decoder_skips_images_instead_of_falling_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = Decoder.decode

    def slow(self: Decoder, packet: object) -> Iterator[object]:
        time.sleep(0.1)
        yield from decode(self, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "decode", slow)
    with _Counting() as server:
        server.pause = 0.01
        with _open(server) as source:
            behind = []
            while server.sent < 200:
                frame = source.read()
                assert frame is not None
                behind.append(server.sent - _number(frame.image))
    assert server.sent > 2 * len(behind)
    assert max(behind[-5:]) < 40, f"images behind the server: {behind}"
