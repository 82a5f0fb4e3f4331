"""RTSP, with GStreamer's server, which requires a password."""

from __future__ import annotations

import functools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from live_cam.capture import feed, open_source, stream
from live_cam.capture.source import Source
from live_cam.capture.stream import Stream
from live_cam.errors import CaptureError
from live_cam.frame import Frame

SECRET = "top:secret"
_BINDINGS = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert all(map(Gst.ElementFactory.find, ('x264enc', 'rtph264pay', 'videotestsrc')))"
)


@functools.cache
def _python() -> str | None:
    """Return a Python that has GStreamer's bindings, which may be the system's, or None."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", _BINDINGS], capture_output=True, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            continue
        return python
    return None


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or _python() is None,
    reason="GStreamer's RTSP server is not installed (gir1.2-gst-rtsp-server-1.0, plugins-ugly)",
)


class Camera:
    """An RTSP camera in a separate process, which can be stopped and killed."""

    def __init__(self, port: int, size: str = "160x120") -> None:
        script = Path(__file__).parents[1] / "support" / "rtsp_server.py"
        self.process = subprocess.Popen(
            [str(_python()), str(script), str(port), size, "me", SECRET],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def camera(port: int) -> Iterator[Camera]:
    running = Camera(port)
    yield running
    running.kill()


def _open(port: int) -> Source:
    return open_source(f"rtsp://me:{SECRET}@127.0.0.1:{port}/video")


def _until(source: Source, wanted: Callable[[Frame], bool]) -> Frame:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        frame = source.read()
        assert frame is not None
        if wanted(frame):
            return frame
    return pytest.fail("the wanted image did not come")


@pytest.mark.usefixtures("camera")
def test_an_rtsp_camera_is_live_and_described(port: int) -> None:
    with _open(port) as source:
        assert source.name == f"rtsp://***@127.0.0.1:{port}/video"
        assert source.description == "160×120 h264 at 20 fps"
        assert source.live
        assert _until(source, lambda frame: frame.index == 20).image.shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("user", "path", "reason"),
    [
        ("me:wrong@", "video", "requires a user name and password.*rtsp://USER:PASSWORD@"),
        ("", "video", "requires a user name and password"),
        (f"me:{SECRET}@", "nowhere", "404"),
    ],
)
@pytest.mark.usefixtures("camera")
def test_a_rejected_request_is_explained(port: int, user: str, path: str, reason: str) -> None:
    with pytest.raises(CaptureError, match=reason) as caught:
        open_source(f"rtsp://{user}127.0.0.1:{port}/{path}")
    assert "wrong" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_camera_that_restarts_in_another_size_continues(camera: Camera, port: int) -> None:
    with _open(port) as source:
        before = _until(source, lambda frame: frame.index == 5)
        camera.kill()
        again = Camera(port, "320x240")
        try:
            after = _until(source, lambda frame: frame.image.shape == (240, 320, 3))
            assert source.description == "320×240 h264 at 20 fps"
        finally:
            again.kill()
    assert after.index > before.index
    assert after.timestamp > before.timestamp


def test_a_stalled_camera_is_reported_and_reconnected(
    camera: Camera, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (feed, stream):
        monkeypatch.setattr(module, "TIMEOUT", 2.0)
    monkeypatch.setattr(Stream, "patience", 2.0)
    with _open(port) as source:
        before = _until(source, lambda frame: frame.index == 5)
        camera.process.send_signal(signal.SIGSTOP)
        troubles: set[str] = set()
        while not any(text.startswith("stream lost") for text in troubles):
            troubles.add(source.trouble or "")
            time.sleep(0.05)
        assert any(text.startswith("stream sends no images…") for text in troubles)
        resumed = time.monotonic()
        camera.process.send_signal(signal.SIGCONT)
        after = _until(source, lambda frame: frame.timestamp > resumed + 1)
        assert after.index > before.index
        assert source.trouble is None
