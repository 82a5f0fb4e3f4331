"""The camera's real process, with a fake camera in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from live_cam.capture import camera, camera_process
from live_cam.capture.camera import Camera
from live_cam.capture.camera_process import CameraProcess
from live_cam.capture.driver import Request
from live_cam.errors import CaptureError
from tests.support.media import colour_of

_WITH_A_FAKE_CAMERA = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from live_cam.runtime.opencv import cv2; from tests.support.media import FakeCamera; "
    "cv2.VideoCapture = FakeCamera().capture; "
    "from live_cam.capture.camera_process import main; main(*json.loads(sys.argv[2]))"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_process, "_CODE", _WITH_A_FAKE_CAMERA)
    monkeypatch.setattr(camera, "is_plugged_in", lambda _: True)


def _wait(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.02)


def _pid(source: Camera) -> int:
    assert source._process is not None
    return source._process._process.pid


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("plugged_in")
def test_the_process_delivers_images() -> None:
    with Camera(0) as source:
        frames = [source.read() for _ in range(5)]
        assert source.description == "64×48 MJPG at 30 fps"
        process = source._process
    for index, frame in enumerate(frames):
        assert frame is not None
        assert frame.index == index
        assert colour_of(frame.image, 0.25, 0.25) == "red"
        assert frame.timestamp <= time.monotonic()
    assert process is not None
    assert process.ended


@posix
@pytest.mark.usefixtures("plugged_in")
def test_a_crashed_driver_is_restarted() -> None:
    with Camera(0) as source:
        source.read()
        crashed = _pid(source)
        os.kill(crashed, signal.SIGSEGV)
        _wait(lambda: source.trouble is not None)
        _wait(lambda: source.trouble is None)
        assert source.read() is not None
        assert _pid(source) != crashed


@posix
@pytest.mark.usefixtures("plugged_in")
def test_a_hung_driver_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Camera, "patience", 0.5)
    with Camera(0) as source:
        source.read()
        hung = _pid(source)
        os.kill(hung, signal.SIGSTOP)
        _wait(lambda: (source.trouble or "").startswith("camera sends no images…"))
        _wait(lambda: source.trouble is None)
        assert _pid(source) != hung
        assert not _runs(hung)


@pytest.mark.usefixtures("plugged_in")
def test_the_driver_releases_the_camera_before_the_process_ends(tmp_path: Path) -> None:
    released = tmp_path / "released"
    code = _WITH_A_FAKE_CAMERA.replace(
        "cv2.VideoCapture =",
        "from tests.support import media; "
        f"media._FakeCapture.release = lambda _: open({str(released)!r}, 'w').close(); "
        "cv2.VideoCapture =",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera_process, "_CODE", code)
        with Camera(0) as source:
            source.read()
            assert not released.exists()
    assert released.exists()


@posix
@pytest.mark.usefixtures("plugged_in")
def test_ctrl_c_does_not_reach_the_process() -> None:
    with Camera(0) as source:
        assert os.getpgid(_pid(source)) != os.getpgid(0)


@posix
def test_the_process_ends_when_the_program_is_killed() -> None:
    program = (
        "import sys, time; from live_cam.capture import camera, camera_process; "
        f"camera_process._CODE = {_WITH_A_FAKE_CAMERA!r}; camera.is_plugged_in = bool; "
        "source = camera.Camera('/dev/video0'); source.read(); "
        "print(source._process._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert _runs(pid)
        running.kill()
    _wait(lambda: not _runs(pid))


@pytest.mark.usefixtures("plugged_in")
def test_modules_in_the_working_directory_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "pickle.py", "numpy.py", "cv2.py"):
        (tmp_path / name).write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    with Camera(0) as source:
        assert source.read() is not None


def test_a_device_that_is_not_a_camera_is_reported() -> None:
    process = CameraProcess(Request("/dev/null", "/dev/null"))
    report = None
    while report is None or not report.ended:
        report = process.newer(report, 30)
        assert report is not None
    assert report.problem is not None
    assert "/dev/null" in report.problem.sentence
    assert report.shot is None
    process.end()
    process.end()
    assert process.ended


def test_a_process_that_fails_to_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_process, "_CODE", "raise SystemExit(3)")
    monkeypatch.setattr(camera, "is_plugged_in", lambda _: True)
    with pytest.raises(CaptureError, match="camera 0"):
        Camera(0)
