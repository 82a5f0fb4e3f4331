"""Listing cameras, and finding out why one cannot be used."""

from __future__ import annotations

import errno
import os
import platform
import struct
from pathlib import Path
from typing import Final

from live_cam.capture.base import Trouble

_SYSTEM: Final = platform.system()
_DEV: Final = Path("/dev")
_SYSFS: Final = Path("/sys/class/video4linux")
_PROBED_INDICES: Final = 4
# linux/videodev2.h
_VIDIOC_QUERYCAP: Final = 0x80685600
_CAPABILITY_SIZE: Final = 104
_DEVICE_CAPS_OFFSET: Final = 88
_VIDEO_CAPTURE: Final = 0x00000001 | 0x00001000  # single- or multi-planar
_VIDIOC_REQBUFS: Final = 0xC0145608
_NO_BUFFERS: Final = struct.pack("IIIII", 0, 1, 1, 0, 0)  # none, for capture, memory-mapped


def list_cameras() -> list[tuple[str, str]]:
    """List the cameras of this machine.

    On Linux no camera is opened. Elsewhere the first four indices are probed, which takes a moment.

    Returns:
        For each camera, the value for `source` and a description.
    """
    if _SYSTEM == "Linux":
        return [
            (str(_number(path)), f"{_title(path)} ({path})")
            for path in _video_nodes()
            if _captures(path)
        ]
    from live_cam.runtime.opencv import cv2

    cameras = []
    for index in range(_PROBED_INDICES):
        capture = cv2.VideoCapture(index)
        if capture.isOpened():
            width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            cameras.append((str(index), f"{capture.getBackendName()}, {width}×{height}"))
        capture.release()
    return cameras


def is_plugged_in(device: int | str) -> bool:
    """Return whether a camera may exist, given its index or device path, without touching it."""
    return _SYSTEM != "Linux" or _path(device).exists()


def camera_problem(device: int | str, name: str, *, opened: bool) -> Trouble:
    """Find out why a camera cannot be used.

    Args:
        device: Index or device path.
        name: Display name.
        opened: Whether it could be opened, but then sent no image.
    """
    problem = _linux_problem(device, name) if _SYSTEM == "Linux" else None
    if problem is not None:
        return problem
    if opened:
        return Trouble(
            "camera sends no images",
            f"{name} was opened but sends no images; unplug it and plug it in again, or close "
            "other programs that use it.",
        )
    advice = "check that it is plugged in and that no other program uses it"
    if _SYSTEM == "Darwin":
        advice += ", and allow your terminal in System Settings, Privacy & Security, Camera"
    elif _SYSTEM == "Windows":
        advice += ", and allow desktop apps in Settings, Privacy & security, Camera"
    return Trouble(
        "camera cannot be opened",
        f"{name} could not be opened; {advice}; live-cam doctor lists the cameras.",
    )


def _path(device: int | str) -> Path:
    return _DEV / f"video{device}" if isinstance(device, int) else Path(device)


def _linux_problem(device: int | str, name: str) -> Trouble | None:
    path = _path(device)
    if isinstance(device, int):
        name = f"{name} ({path})"
    if not path.exists():
        return Trouble("there is no such camera", f"There is no {name}; {_alternatives()}.")
    if not os.access(path, os.R_OK | os.W_OK):
        return Trouble(
            "no permission to use the camera",
            f"You have no permission to use {name}; join its group with: "
            "sudo usermod -aG video $USER, then log in again.",
        )
    if not _captures(path):
        return Trouble(
            "not a camera", f"{name} is not a camera that captures images; {_alternatives()}."
        )
    if _is_busy(path):
        return Trouble(
            "camera in use by another program",
            f"{name} is in use; close the other program that uses it.",
        )
    return None


def _alternatives() -> str:
    cameras = ", ".join(f"{index}: {title}" for index, title in list_cameras())
    if not cameras:
        return "no camera was found: plug one in, or try live-cam demo"
    return f"the available cameras are {cameras}"


def _video_nodes() -> list[Path]:
    return sorted(
        (path for path in _DEV.glob("video*") if path.name.removeprefix("video").isdecimal()),
        key=_number,
    )


def _number(path: Path) -> int:
    return int(path.name.removeprefix("video"))


def _title(path: Path) -> str:
    try:
        return (_SYSFS / path.name / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "camera"


def _captures(path: Path) -> bool:
    """Return whether a device node delivers images; a webcam's second node has only metadata.

    True if the device cannot be queried for lack of permission or because it is busy.
    """
    capability = bytearray(_CAPABILITY_SIZE)
    code = _ioctl(path, _VIDIOC_QUERYCAP, capability)
    if code in (errno.EACCES, errno.EPERM, errno.EBUSY):
        return True
    (caps,) = struct.unpack_from("I", capability, _DEVICE_CAPS_OFFSET)
    return bool(caps & _VIDEO_CAPTURE)


def _is_busy(path: Path) -> bool:
    """Return whether another program is streaming: the driver then rejects any buffer request."""
    return _ioctl(path, _VIDIOC_REQBUFS, bytearray(_NO_BUFFERS)) == errno.EBUSY


def _ioctl(path: Path, request: int, data: bytearray) -> int:
    """Send an ioctl to a device and return 0 or the errno."""
    import fcntl  # not available on Windows

    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        fcntl.ioctl(file, request, data)
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(file)
    return 0
