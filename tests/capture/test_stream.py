from __future__ import annotations

import threading
import time
import traceback

import pytest

from live_cam.capture import feed, open_source, stream
from live_cam.capture.stream import Stream, open_stream
from live_cam.errors import CaptureError, UsageError
from tests.support.media import BLUE, RED, colour_of, marked
from tests.support.server import Server

SECRET = "top:secret"


def _open(server: Server, *, reconnect: float = 0.5) -> Stream:
    source = open_stream(
        f"http://user:{SECRET}@{server.address}/video?key=abc", reconnect=reconnect
    )
    assert isinstance(source, Stream)
    return source


def _read_all(source: Stream) -> None:
    while source.read() is not None:
        pass


def test_an_mjpeg_camera_is_live() -> None:
    with Server() as server, _open(server) as source:
        frame = source.read()
        assert frame is not None
        assert source.live
        assert source.description == "64×48 mjpeg"
        assert colour_of(frame.image, 0.25, 0.25) == "red"
        assert colour_of(frame.image, 0.75, 0.25) == "black"


def test_unread_images_are_lost() -> None:
    with Server() as server, _open(server) as source:
        assert source.read() is not None
        server.image = marked(BLUE)
        time.sleep(0.5)  # longer than images take to arrive
        frame = source.read()
        assert frame is not None
        assert colour_of(frame.image, 0.25, 0.25) == "blue"
        assert frame.index == 1


def test_a_stream_that_comes_back_continues() -> None:
    with Server() as server:
        source = _open(server, reconnect=20)
        frames = [source.read()]
    with source, Server(server.port) as again:
        again.image = marked(BLUE)
        while frames[-1] is not None and colour_of(frames[-1].image, 0.25, 0.25) != "blue":
            frames.append(source.read())

    read = [frame for frame in frames if frame]
    assert [frame.index for frame in read] == list(range(len(frames)))
    assert read[-1].timestamp > read[0].timestamp


def test_a_lost_stream_is_an_error_after_the_reconnect_time() -> None:
    with Server() as server:
        source = _open(server)
    with source:
        with pytest.raises(CaptureError, match=r"lost .* did not come back within 0\.5 s") as error:
            _read_all(source)
        with pytest.raises(CaptureError):
            source.read()
    assert SECRET not in str(error.value)
    assert source.read() is None


def test_close_ends_the_wait_for_a_lost_stream() -> None:
    with Server() as server:
        source = _open(server, reconnect=1000)
    thread = threading.Thread(target=_read_all, args=(source,), daemon=True)
    thread.start()
    time.sleep(0.5)  # by now the stream is lost
    assert thread.is_alive()
    source.close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/private", "requires a user name and password"),
        ("/nowhere", "404"),
        ("/text", "no video"),
    ],
)
def test_a_rejected_request_is_explained(path: str, reason: str) -> None:
    with Server() as server:
        server.files["/text"] = b"Hello\n" * 1000
        url = f"http://user:{SECRET}@{server.address}{path}?key=abc"
        with pytest.raises(CaptureError, match=reason) as caught:
            open_source(url)
        assert server.address in str(caught.value)

    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_the_error_for_a_missing_server_hides_the_password(scheme: str) -> None:
    with Server() as server:
        address = server.address
    with pytest.raises(CaptureError, match="cannot be reached") as caught:
        open_source(f"{scheme}://user:{SECRET}@{address}/video")

    assert f"{scheme}://***@{address}/video" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_silent_server_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (feed, stream):
        monkeypatch.setattr(module, "TIMEOUT", 0.5)
    with Server() as server:
        server.paused.set()
        with pytest.raises(CaptureError, match=r"no response within 0\.5 s"):
            open_source(f"http://{server.address}/video")


def test_an_unknown_scheme_is_rejected() -> None:
    with pytest.raises(UsageError, match="rtsp://"):
        open_source("htp://example.org/video")


def test_read_returns_the_newest_image_after_a_pause() -> None:
    with Server() as server, _open(server) as source:
        server.image = marked(RED)
        opened = time.monotonic()
        time.sleep(0.3)
        frame = source.read()
        assert frame is not None
        assert frame.timestamp > opened
