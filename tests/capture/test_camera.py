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
from tests.capture.media import (
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


def _problem(*_: object, answered: bool) -> Trouble:
    return Trouble("camera cannot be used", f"answered: {answered}.")


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


def test_it_asks_for_the_compressed_format_first(device: FakeCamera) -> None:
    with open_source("0") as source:
        assert source.description == "64×48 MJPG at 30 fps"
        assert source.name == "camera 0"

    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    assert device.asked[:4] == [
        (cv2.CAP_PROP_FOURCC, fourcc),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 30),
    ]


def test_a_camera_that_cannot_compress_is_asked_for_less(device: FakeCamera) -> None:
    device.compresses = False

    with open_source("0") as source:
        assert source.description == "64×48 YUYV at 30 fps"

    assert (cv2.CAP_PROP_FRAME_WIDTH, 640) in device.asked
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 480) in device.asked


@pytest.mark.parametrize("compresses", [True, False])
def test_size_and_rate_can_be_chosen(device: FakeCamera, compresses: bool) -> None:
    device.compresses = compresses

    open_source("0", camera_size=(800, 600), camera_fps=60).close()

    assert (cv2.CAP_PROP_FRAME_WIDTH, 800) in device.asked
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 600) in device.asked
    assert (cv2.CAP_PROP_FPS, 60) in device.asked


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
def test_whatever_the_driver_gives_becomes_bgr(device: FakeCamera, given: NDArray[Any]) -> None:
    device.image = given

    with open_source("0") as source:
        frame = source.read()

    assert frame is not None
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.dtype == np.uint8
    assert np.all(np.abs(frame.image.astype(int) - 200) <= 1)


def test_damaged_images_are_passed_over(device: FakeCamera) -> None:
    with open_source("0") as source:
        source.read()
        device.image = marked(BLUE)
        device.damaged = 10
        frames = _until(source, _shows("blue"))
    assert device.damaged == 0
    assert [frame.index for frame in frames] == list(range(1, len(frames) + 1))


def test_jpegs_that_are_cut_off_are_left_out_and_named(device: FakeCamera) -> None:
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        device.image = marked(BLUE)
        device.cut = 40
        while source.trouble != "camera sends damaged images":
            assert device.cut
        _until(source, _shows("blue"))
    assert not device.cut


@pytest.mark.usefixtures("device")
def test_a_camera_that_never_ends_its_jpegs_is_none_the_worse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode = cv2.imencode

    def endless(ending: str, image: NDArray[Any]) -> tuple[bool, NDArray[np.uint8]]:
        done, data = encode(ending, image)
        return done, np.asarray(data[:-2], np.uint8)

    monkeypatch.setattr(cv2, "imencode", endless)
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 5)
        assert source.trouble is None


def test_a_header_that_claims_any_size_is_a_damaged_image(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg = bytearray(cv2.imencode(".jpg", marked(BLUE))[1].tobytes())
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = b"\xff\xff\xff\xff"
    claims = np.frombuffer(bytes(jpeg), np.uint8)
    encode = cv2.imencode
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        monkeypatch.setattr(cv2, "imencode", lambda *_: (True, claims))
        while source.trouble != "camera sends damaged images":
            time.sleep(0.01)
        device.image = marked(BLUE)
        monkeypatch.setattr(cv2, "imencode", encode)
        _until(source, _shows("blue"))


def test_a_process_that_cannot_be_started_is_said_and_tried_again(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with open_source("0") as source:
        monkeypatch.setattr(camera, "CameraProcess", refused)
        device.unplug()
        while not (source.trouble or "").startswith("the camera's process cannot be started…"):
            time.sleep(0.01)
        device.plug()
        monkeypatch.setattr(camera, "CameraProcess", DriverThread)
        while source.trouble is not None:
            time.sleep(0.01)
    monkeypatch.setattr(camera, "CameraProcess", refused)
    with pytest.raises(CaptureError, match="Resource temporarily unavailable"):
        open_source("0")


def test_nothing_but_damaged_images_is_a_loss_that_says_so(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.3)
    with Camera(0, reconnect=1) as source:
        _until(source, lambda frame: frame.index == 3)
        device.cut = 100_000
        with pytest.raises(CaptureError, match="sends only damaged images; try another cable"):
            _until(source, lambda _: False)


def test_another_size_in_the_middle_is_taken_and_described(device: FakeCamera) -> None:
    with open_source("0") as source:
        device.image = marked(GREEN, 96, 80)
        frame = _until(source, _shows("green"))[-1]
        assert frame.image.shape == (80, 96, 3)
        assert source.description == "96×80 MJPG at 30 fps"
        assert source.trouble == "camera now sends 96×80"


def test_a_camera_that_is_taken_meanwhile_is_waited_for_by_its_reason(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Trouble("camera in use by another program", "camera 0 is in use; end the other.")
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
def test_an_unplugged_camera_that_comes_back_goes_on(device: FakeCamera, name: str) -> None:
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


def test_a_frozen_camera_goes_on_when_it_thaws(device: FakeCamera) -> None:
    with open_source("0") as source:
        _until(source, lambda frame: frame.index == 3)
        device.frozen = True
        time.sleep(0.5)
        device.image = marked(GREEN)
        device.frozen = False
        _until(source, _shows("green"))


def test_each_loss_has_a_time_of_its_own_to_come_back(device: FakeCamera) -> None:
    with Camera(0, reconnect=1.5) as source:
        for _ in range(2):
            start = time.monotonic()
            device.frozen = True
            time.sleep(0.5)
            device.frozen = False
            _until(source, lambda frame: frame.timestamp > start + 1)  # noqa: B023


@pytest.mark.parametrize("how", ["unplugged", "frozen"])
def test_a_camera_that_stays_away_is_an_error(device: FakeCamera, how: str) -> None:
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


def test_a_driver_that_blocks_holds_up_nobody(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.2)
    source = Camera(0, reconnect=1)
    device.blocked.set()
    with pytest.raises(CaptureError, match=r"was lost .* camera 0 does not answer"):
        _until(source, lambda _: False)
    source.close()
    assert source.read() is None
    assert device.in_use  # by the driver that nobody waits for
    device.blocked.clear()
    _wait_until_released(device)


def test_a_driver_that_lets_go_again_is_asked_anew(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "patience", 0.2)
    with Camera(0) as source:
        _until(source, lambda frame: frame.index == 3)
        device.blocked.set()
        time.sleep(1)
        assert source.trouble is not None
        assert source.trouble.startswith("camera does not answer…")
        device.image = marked(GREEN)
        device.blocked.clear()
        _until(source, _shows("green"))
        assert source.trouble is None


def test_a_failure_in_the_cameras_thread_reaches_the_reader(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Camera) -> None:
        raise RuntimeError("broken driver")

    with Camera(0) as source:
        monkeypatch.setattr(Camera, "_grab", fail)
        with pytest.raises(RuntimeError, match="broken driver"):
            _until(source, lambda _: False)
    assert not device.in_use


def test_no_camera(device: FakeCamera) -> None:
    device.unplug()
    with pytest.raises(CaptureError, match="answered: False"):
        open_source("0")


def test_a_camera_that_sends_nothing_is_released(device: FakeCamera) -> None:
    device.frozen = True
    with pytest.raises(CaptureError, match="answered: True"):
        open_source("0")
    assert not device.in_use


def test_the_next_backend_is_tried(device: FakeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_index_that_no_camera_has_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no camera 12345"):
        open_source("12345")
