"""Passwords in URLs never appear, whatever happens to the stream."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections.abc import Iterator

import pytest

from live_cam.capture import feed, open_source, stream
from live_cam.capture.masking import masked
from live_cam.capture.source import Source
from live_cam.errors import CaptureError, LiveCamError
from tests.support.media import RED, marked, write_video
from tests.support.server import Server

SECRETS = ("s3cr3t-w0rd", "t0k3n-0f-mine", "n0b0dy-kn0ws")
"""A password, a query's value and a user name."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (feed, stream):
        monkeypatch.setattr(module, "TIMEOUT", 0.5)


def _url(address: str, path: str = "/video", scheme: str = "http") -> str:
    return f"{scheme}://n0b0dy-kn0ws:s3cr3t-w0rd@{address}{path}?key=t0k3n-0f-mine"


def _assert_hidden(*texts: object) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in str(text)


def _everything_of(error: BaseException) -> Iterator[str]:
    """Yield what a traceback shows of an error, and what a debugger shows in addition."""
    yield "".join(traceback.format_exception(error))
    yield "".join(traceback.TracebackException.from_exception(error).format())
    while error is not None:
        yield repr(error)
        yield repr(error.args)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


def _drain(source: Source) -> None:
    while source.read() is not None:
        pass


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://cam.local/live", "rtsp://cam.local/live"),
        ("rtsp://admin:pa55@cam.local:554/live", "rtsp://***@cam.local:554/live"),
        ("rtsp://admin:pa/55?@cam.local/live", "rtsp://***@cam.local/live"),
        ("rtsp://admin:pa://55@cam.local/live", "rtsp://***@cam.local/live"),
        ("http://cam.local/video.cgi?user=a&pwd=b", "http://cam.local/video.cgi?…"),
        ("http:/admin:pa55@cam.local/video", "***@cam.local/video"),
        ("admin:pa55@cam.local/video", "***@cam.local/video"),
        ("me@home.mp4", "me@home.mp4"),
        ("C:\\clip.mp4", "C:\\clip.mp4"),
    ],
)
def test_secrets_are_masked(source: str, shown: str) -> None:
    assert masked(source) == shown


@pytest.mark.parametrize("path", ["/private", "/nowhere", "/text", "/moved", "/empty"])
def test_secrets_are_hidden_when_a_server_rejects_the_request(server: Server, path: str) -> None:
    server.files["/text"] = b"Hello\n" * 1000
    server.files["/empty"] = b""
    server.redirects["/moved"] = _url(server.address, "/nowhere")
    with pytest.raises(LiveCamError) as caught:
        open_source(_url(server.address, path))
    _assert_hidden(*_everything_of(caught.value))


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtmp", "htp", "tcp"])
def test_secrets_are_hidden_when_no_server_listens(scheme: str) -> None:
    with Server() as server:
        address = server.address
    with pytest.raises(LiveCamError) as caught:
        open_source(_url(address, scheme=scheme))
    _assert_hidden(*_everything_of(caught.value))


def test_secrets_are_hidden_when_a_server_never_responds(server: Server) -> None:
    server.silent.set()
    with pytest.raises(CaptureError, match="no response") as caught:
        open_source(_url(server.address))
    _assert_hidden(*_everything_of(caught.value))


@pytest.mark.parametrize(
    "source",
    [
        "http://n0b0dy-kn0ws:s3cr3t-w0rd@127.0.0.1:port/video?key=t0k3n-0f-mine",
        "http://n0b0dy-kn0ws:s3cr3t-w0rd@[127.0.0.1/video?key=t0k3n-0f-mine",
        "http://n0b0dy-kn0ws:s3cr3t-w0rd@/video?key=t0k3n-0f-mine",
        "http://n0b0dy-kn0ws:s3cr3t-w0rd\udcff@127.0.0.1:9/video?key=t0k3n-0f-mine",
        "http:/n0b0dy-kn0ws:s3cr3t-w0rd@127.0.0.1/video",
        "n0b0dy-kn0ws:s3cr3t-w0rd@127.0.0.1/video",
    ],
)
def test_secrets_are_hidden_in_malformed_urls(source: str) -> None:
    with pytest.raises(LiveCamError) as caught:
        open_source(source)
    _assert_hidden(*_everything_of(caught.value))


def test_secrets_are_hidden_during_a_loss_and_reconnection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    with Server() as server:
        server.login = "n0b0dy-kn0ws:s3cr3t-w0rd"
        source = open_source(_url(server.address))
        _assert_hidden(source.name, source.description)
    with source:
        limit = time.monotonic() + 10
        while not (source.trouble or "").startswith("stream lost"):
            assert time.monotonic() < limit
            time.sleep(0.01)
        _assert_hidden(source.trouble, *(thread.name for thread in threading.enumerate()))
        with Server(server.port) as again:
            again.login = "n0b0dy-kn0ws:s3cr3t-w0rd"
            while source.trouble:
                time.sleep(0.01)
            source.read()
            source.read()
        _assert_hidden(source.description, repr(source), str(source))
    assert any("Reconnected to" in record.getMessage() for record in caplog.records)
    _assert_hidden(caplog.text)


def test_secrets_are_hidden_when_a_stream_does_not_come_back() -> None:
    with Server() as server:
        source = open_source(_url(server.address), reconnect=0.6)
    with source, pytest.raises(CaptureError) as caught:
        _drain(source)
    _assert_hidden(*_everything_of(caught.value))


def test_secrets_are_hidden_when_a_download_breaks_off(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("videos") / "clip.mkv"
    data = write_video(path, [marked(RED)] * 300).read_bytes()
    server.files["/clip.mkv"] = data
    server.cut_files_at = len(data) // 2
    with open_source(_url(server.address, "/clip.mkv")) as source:
        _assert_hidden(source.name, source.description)
        with pytest.raises(CaptureError) as caught:
            _drain(source)
    _assert_hidden(*_everything_of(caught.value))


def test_a_redirect_uses_its_own_password_and_hides_both(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with Server() as other:
        server.login, other.login = "n0b0dy-kn0ws:s3cr3t-w0rd", "n0b0dy-kn0ws:t0k3n-0f-mine"
        server.redirects["/moved"] = f"http://n0b0dy-kn0ws:t0k3n-0f-mine@{other.address}/video"
        server.redirects["/plain"] = f"http://{other.address}/video"
        with open_source(_url(server.address, "/moved")) as source:
            assert source.read() is not None
            assert source.name == f"http://***@{server.address}/moved?…"
        other.authorizations.clear()
        with pytest.raises(CaptureError, match="requires a user name and password") as caught:
            open_source(_url(server.address, "/plain"))
        assert set(other.authorizations) == {None}, "a server received another one's password"
    _assert_hidden(caplog.text, *_everything_of(caught.value))


def test_no_secret_is_printed_when_objects_are_collected(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.silent.set()
    with pytest.raises(CaptureError):
        open_source(_url(server.address))
    server.silent.clear()
    with open_source(_url(server.address)) as source:
        source.read()
    gc.collect()
    captured = capfd.readouterr()
    _assert_hidden(captured.out, captured.err)
