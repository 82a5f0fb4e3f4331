from __future__ import annotations

import errno
import os
import struct
import sys
from pathlib import Path

import pytest

from live_cam.capture import devices, list_cameras, open_source
from live_cam.capture.devices import camera_problem
from live_cam.errors import CaptureError
from live_cam.runtime.opencv import cv2
from tests.support.media import FakeCamera

linux = pytest.mark.skipif(sys.platform != "linux", reason="queries Linux devices")


class FakeNodes:
    """The device nodes of a machine, in a folder, with a fake ioctl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.busy = False
        self.denied = False

    def add(self, name: str, title: str) -> None:
        (self.folder / name).touch()
        (self.folder / "sysfs" / name).mkdir(parents=True)
        (self.folder / "sysfs" / name / "name").write_text(f"{title}\n")

    def ioctl(self, path: Path, request: int, data: bytearray) -> int:
        if self.denied:
            return errno.EACCES
        if request == devices._VIDIOC_REQBUFS:
            return errno.EBUSY if self.busy else 0
        captures = not (self.folder / "sysfs" / path.name / "name").read_text().startswith("meta")
        struct.pack_into("II", data, 84, 0x84A00001, 1 if captures else 0x00800000)
        return 0


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNodes:
    fake = FakeNodes(tmp_path)
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    monkeypatch.setattr(devices, "_SYSFS", tmp_path / "sysfs")
    monkeypatch.setattr(devices, "_SYSTEM", "Linux")
    monkeypatch.setattr(devices, "_ioctl", fake.ioctl)
    return fake


def test_cameras_are_listed_with_their_names(nodes: FakeNodes, tmp_path: Path) -> None:
    nodes.add("video10", "Second")
    nodes.add("video2", "First: HD")
    nodes.add("video3", "metadata of the first")
    (tmp_path / "video-other").touch()

    assert list_cameras() == [
        ("2", f"First: HD ({tmp_path / 'video2'})"),
        ("10", f"Second ({tmp_path / 'video10'})"),
    ]


def test_indices_are_probed_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = FakeCamera()
    monkeypatch.setattr(devices, "_SYSTEM", "Windows")
    monkeypatch.setattr(cv2, "VideoCapture", camera.capture)

    assert [name for name, _ in list_cameras()] == ["0"]
    assert not camera.in_use


def test_the_error_for_a_missing_camera_lists_the_others(nodes: FakeNodes) -> None:
    assert "no camera was found" in camera_problem(0, "camera 0", opened=False).sentence
    nodes.add("video2", "Webcam")
    problem = camera_problem(0, "camera 0", opened=False).sentence
    assert problem.startswith(f"There is no camera 0 ({nodes.folder / 'video0'})")
    assert "2: Webcam" in problem


def test_a_camera_in_use_is_reported(nodes: FakeNodes) -> None:
    nodes.add("video0", "Webcam")
    nodes.busy = True
    assert "is in use" in camera_problem(0, "camera 0", opened=False).sentence


def test_missing_permission_is_reported_with_its_remedy(
    nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes.add("video0", "Webcam")
    nodes.denied = True
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "usermod -aG video" in camera_problem(0, "camera 0", opened=False).sentence
    assert [name for name, _ in list_cameras()] == ["0"]


def test_a_node_without_images_is_not_a_camera(nodes: FakeNodes) -> None:
    nodes.add("video0", "Webcam")
    nodes.add("video1", "metadata")
    problem = camera_problem(1, "camera 1", opened=True).sentence
    assert "is not a camera that captures images" in problem
    assert "0: Webcam" in problem


def test_a_silent_camera_is_distinguished_from_one_that_cannot_be_opened(nodes: FakeNodes) -> None:
    nodes.add("video0", "Webcam")
    assert "sends no image" in camera_problem(0, "camera 0", opened=True).sentence
    assert "could not be opened" in camera_problem(0, "camera 0", opened=False).sentence


@pytest.mark.parametrize(
    ("system", "hint"), [("Darwin", "System Settings"), ("Windows", "desktop apps")]
)
def test_the_permission_setting_is_named_on_other_systems(
    monkeypatch: pytest.MonkeyPatch, system: str, hint: str
) -> None:
    monkeypatch.setattr(devices, "_SYSTEM", system)
    assert hint in camera_problem(0, "camera 0", opened=False).sentence


@linux
def test_a_device_that_is_not_a_camera_is_an_error() -> None:
    with pytest.raises(CaptureError, match="/dev/null is not a camera"):
        open_source("/dev/null")


@linux
def test_a_missing_device_is_an_error() -> None:
    with pytest.raises(CaptureError, match="There is no /dev/video77"):
        open_source("/dev/video77")
