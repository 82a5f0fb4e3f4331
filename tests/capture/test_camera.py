from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.capture import Source, camera, driver, open_source
from live_cam.capture.base import Trouble
from live_cam.capture.camera import Camera
from live_cam.errors import CaptureError, UsageError
from live_cam.frame import Frame
from live_cam.runtime.opencv import cv2
from tests.support.media import (
    BLUE,
    GREEN,
    RED,
    DriverThread,
    FakeCamera,
    colour_of,
    install,
    marked,
)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> FakeCamera:
    fake = FakeCamera()
    install(fake, monkeypatch)
    monkeypatch.setattr(driver, "FIRST_IMAGE_WAIT", 0.2)
    monkeypatch.setattr(driver, "camera_problem", _problem)
    return fake


def _problem(*_: object, opened: bool) -> Trouble:
    return Trouble("camera cannot be used", f"opened: {opened}.")


def _until(source: Source, wanted: Callable[[Frame], bool]) -> list[Frame]:
    frames = []
    end = time.monotonic() + 20
    while time.monotonic() < end:
        frame = source.read()
        assert frame is not None
        frames.append(frame)
        if wanted(frame):
            return frames
    return pytest.fail("the wanted image did not come")


def _wait_until_released(device: FakeCamera) -> None:
    end = time.monotonic() + 20
    while device.in_use:
        assert time.monotonic() < end
        time.sleep(0.01)


def _shows(colour: str) -> Callable[[Frame], bool]:
    return lambda frame: colour_of(frame.image, 0.25, 0.25) == colour


def test_the_compressed_format_is_requested_first(device: FakeCamera) -> None:
    with open_source("0") as source:
        assert source.description == "64×48 MJPG at 30 fps"
        assert source.name == "camera 0"

    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    assert device.requested[:4] == [
        (cv2.CAP_PROP_FOURCC, fourcc),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 30),
    ]


def test_a_smaller_size_is_requested_without_compression(device: FakeCamera) -> None:
    device.compresses = False

    with open_source("0") as source:
        assert source.description == "64×48 YUYV at 30 fps"

    assert (cv2.CAP_PROP_FRAME_WIDTH, 640) in device.requested
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 480) in device.requested


@pytest.mark.parametrize("compresses", [True, False])
def test_size_and_rate_can_be_chosen(device: FakeCamera, compresses: bool) -> None:
    device.compresses = compresses

    open_source("0", camera_size=(800, 600), camera_fps=60).close()

    assert (cv2.CAP_PROP_FRAME_WIDTH, 800) in device.requested
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 600) in device.requested
    assert (cv2.CAP_PROP_FPS, 60) in device.requested


@pytest.mark.parametrize(
    "given",
    [
        np.full((48, 64), 200, np.uint8),
        np.full((48, 64, 1), 200, np.uint8),
        np.dstack([np.full((48, 64), 188, np.uint8), np.full((48, 64), 128, np.uint8)]),
        np.full((48, 64, 4), 200, np.uint8),
        np.full((48, 64), 200 * 256, np.uint16),
    ],
    ids=["grey", "one channel", "YUYV", "BGRA", "16 bit"],
)
def test_every_pixel_format_is_converted_to_bgr(device: FakeCamera, given: NDArray[Any]) -> None:
    device.image = given

    with open_source("0") as source:
        frame = source.read()

    assert frame is not None
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.dtype == np.uint8
    assert np.all(np.abs(frame.image.astype(int) - 200) <= 1)


def test_damaged_images_are_skipped(device: FakeCamera) -> None:
    with open_source("0") as source:
        source.read()
        device.image = marked(BLUE)
        device.damaged = 10
        frames = _until(source, _shows("blue"))
    assert device.damaged == 0
    assert [frame.index for frame in frames] == list(range(1, len(frames) + 1))


def test_truncated_jpegs_are_skipped_and_reported(device: FakeCamera) -> None:
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        device.image = marked(BLUE)
        device.truncated = 40
        while source.trouble != "camera sends damaged images":
            assert device.truncated
        _until(source, _shows("blue"))
    assert not device.truncated


@pytest.mark.usefixtures("device")
def test_jpegs_without_end_markers_are_tolerated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode = cv2.imencode

    def without_end(ending: str, image: NDArray[Any]) -> tuple[bool, NDArray[np.uint8]]:
        done, data = encode(ending, image)
        return done, np.asarray(data[:-2], np.uint8)

    monkeypatch.setattr(cv2, "imencode", without_end)
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 5)
        assert source.trouble is None


def test_a_jpeg_header_that_claims_a_huge_size_is_damaged(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg = bytearray(cv2.imencode(".jpg", marked(BLUE))[1].tobytes())
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = b"\xff\xff\xff\xff"
    huge = np.frombuffer(bytes(jpeg), np.uint8)
    encode = cv2.imencode
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        monkeypatch.setattr(cv2, "imencode", lambda *_: (True, huge))
        while source.trouble != "camera sends damaged images":
            time.sleep(0.01)
        device.image = marked(BLUE)
        monkeypatch.setattr(cv2, "imencode", encode)
        _until(source, _shows("blue"))


def test_a_process_that_cannot_start_is_reported_and_retried(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with open_source("0") as source:
        monkeypatch.setattr(camera, "CameraProcess", fail)
        device.unplug()
        while not (source.trouble or "").startswith("cannot start the camera's process…"):
            time.sleep(0.01)
        device.plug()
        monkeypatch.setattr(camera, "CameraProcess", DriverThread)
        while source.trouble is not None:
            time.sleep(0.01)
    monkeypatch.setattr(camera, "CameraProcess", fail)
    with pytest.raises(CaptureError, match="Resource temporarily unavailable"):
        open_source("0")


def test_a_camera_that_sends_only_damaged_images_is_lost(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.3)
    with Camera(0, reconnect=1) as source:
        _until(source, lambda frame: frame.index == 3)
        device.truncated = 100_000
        with pytest.raises(CaptureError, match="sends only damaged images; try another cable"):
            _until(source, lambda _: False)


def test_a_new_image_size_is_accepted_and_described(device: FakeCamera) -> None:
    with open_source("0") as source:
        device.image = marked(GREEN, 96, 80)
        frame = _until(source, _shows("green"))[-1]
        assert frame.image.shape == (80, 96, 3)
        assert source.description == "96×80 MJPG at 30 fps"
        assert source.trouble == "camera now sends 96×80"


def test_the_reason_is_shown_while_waiting_for_a_camera_in_use(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Trouble(
        "camera in use by another program", "camera 0 is in use; close the other program."
    )
    monkeypatch.setattr(driver, "camera_problem", lambda *_, **__: taken)
    with open_source("0") as source:
        device.unplug()
        _wait_until_released(device)
        other = device.capture(0)
        device.plug()
        thief = device.capture(0)
        assert thief.isOpened()
        while not (source.trouble or "").startswith("camera in use by another program…"):
            time.sleep(0.01)
        other.release()
        thief.release()
        while source.trouble is not None:
            time.sleep(0.01)
        assert source.read() is not None


@pytest.mark.parametrize("name", ["0", "/dev/video0"])
@pytest.mark.skipif(sys.platform == "win32", reason="there are no device paths")
def test_a_replugged_camera_continues(device: FakeCamera, name: str) -> None:
    with open_source(name) as source:
        frames = _until(source, lambda frame: frame.index == 3)
        device.unplug()
        _wait_until_released(device)
        device.image = marked(GREEN)
        device.plug()
        frames += _until(source, _shows("green"))

    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.timestamp for frame in frames]
    assert times == sorted(set(times))


def test_a_frozen_camera_continues_when_it_recovers(device: FakeCamera) -> None:
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        device.frozen = True
        time.sleep(0.5)
        device.image = marked(GREEN)
        device.frozen = False
        _until(source, _shows("green"))


def test_the_reconnect_time_starts_again_with_each_loss(device: FakeCamera) -> None:
    with Camera(0, reconnect=1.5) as source:
        for _ in range(2):
            start = time.monotonic()
            device.frozen = True
            time.sleep(0.5)
            device.frozen = False
            _until(source, lambda frame: frame.timestamp > start + 1)  # noqa: B023


@pytest.mark.parametrize("how", ["unplugged", "frozen"])
def test_a_camera_that_does_not_come_back_is_an_error(device: FakeCamera, how: str) -> None:
    source = Camera(0, reconnect=0.4)
    with source:
        if how == "unplugged":
            device.unplug()
        else:
            device.frozen = True
        with pytest.raises(CaptureError, match=r"camera 0 was lost .* within 0\.4 s"):
            _until(source, lambda _: False)
        with pytest.raises(CaptureError):
            source.read()
    assert source.read() is None
    assert not device.in_use


def test_a_blocked_driver_delays_neither_read_nor_close(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.2)
    source = Camera(0, reconnect=1)
    device.blocked.set()
    with pytest.raises(CaptureError, match=r"was lost .* camera 0 does not respond"):
        _until(source, lambda _: False)
    source.close()
    assert source.read() is None
    assert device.in_use  # by the blocked driver
    device.blocked.clear()
    _wait_until_released(device)


def test_a_driver_that_unblocks_is_opened_again(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.2)
    with Camera(0) as source:
        _until(source, lambda frame: frame.index == 3)
        device.blocked.set()
        time.sleep(1)
        assert source.trouble is not None
        assert source.trouble.startswith("camera does not respond…")
        device.image = marked(GREEN)
        device.blocked.clear()
        _until(source, _shows("green"))
        assert source.trouble is None


def test_an_exception_in_the_cameras_thread_is_raised_by_read(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Camera) -> None:
        raise RuntimeError("broken driver")

    with Camera(0) as source:
        monkeypatch.setattr(Camera, "_grab", fail)
        with pytest.raises(RuntimeError, match="broken driver"):
            _until(source, lambda _: False)
    assert not device.in_use


def test_a_missing_camera_is_an_error(device: FakeCamera) -> None:
    device.unplug()
    with pytest.raises(CaptureError, match="opened: False"):
        open_source("0")


def test_a_silent_camera_is_released(device: FakeCamera) -> None:
    device.frozen = True
    with pytest.raises(CaptureError, match="opened: True"):
        open_source("0")
    assert not device.in_use


def test_backends_are_tried_in_order(device: FakeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def capture(index: int, backend: int) -> object:
        tried.append(backend)
        return device.capture(index if backend == cv2.CAP_DSHOW else 7, backend)

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    backends = (cv2.CAP_MSMF, cv2.CAP_DSHOW, cv2.CAP_ANY)
    monkeypatch.setattr(driver, "BACKENDS", {sys.platform: backends})

    with open_source("0") as source:
        assert source.read() is not None
        device.unplug()
        _wait_until_released(device)
        device.image = marked(RED)
        device.plug()
        assert source.read() is not None
        last = tried[-1]

    assert tried[:2] == [cv2.CAP_MSMF, cv2.CAP_DSHOW]
    assert last == cv2.CAP_DSHOW


def test_a_huge_camera_index_is_rejected() -> None:
    with pytest.raises(UsageError, match="no camera 12345"):
        open_source("12345")
