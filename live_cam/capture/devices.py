"""Which cameras there are, and why one cannot be used."""

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
_PROBED: Final = 4
# linux/videodev2.h
_VIDIOC_QUERYCAP: Final = 0x80685600
_CAPABILITY_SIZE: Final = 104
_DEVICE_CAPS_OFFSET: Final = 88
_VIDEO_CAPTURE: Final = 0x00000001 | 0x00001000  # single- or multi-planar
_VIDIOC_REQBUFS: Final = 0xC0145608
_NO_BUFFERS: Final = struct.pack("IIIII", 0, 1, 1, 0, 0)  # none, for capture, memory-mapped


def list_cameras() -> list[tuple[str, str]]:
    """Find the cameras of this machine.

    Returns:
        For each camera what to give for `--source`, and a description. On Linux without opening
        any; elsewhere the first four indices are tried, which takes a moment.
    """
    if _SYSTEM == "Linux":
        return [
            (str(_number(path)), f"{_title(path)} ({path})")
            for path in _video_nodes()
            if _captures(path)
        ]
    from live_cam.runtime.opencv import cv2

    found = []
    for index in range(_PROBED):
        capture = cv2.VideoCapture(index)
        if capture.isOpened():
            width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            found.append((str(index), f"{capture.getBackendName()}, {width}×{height}"))
        capture.release()
    return found


def is_plugged_in(device: int | str) -> bool:
    """Return whether a camera may be there, by its index or path, without touching it."""
    return _SYSTEM != "Linux" or _path(device).exists()


def camera_problem(device: int | str, name: str, *, answered: bool) -> Trouble:
    """Find out why a camera cannot be used.

    Args:
        device: Its index or path.
        name: What the user knows it as.
        answered: Whether it could be opened and then sent no image.
    """
    problem = _linux_problem(device, name) if _SYSTEM == "Linux" else None
    if problem is not None:
        return problem
    if answered:
        return Trouble(
            "camera sends no images",
            f"{name} was opened but sends no image; unplug it and plug it in again, or end other "
            "programs that use it.",
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
            f"{name} may not be used by you; join its group with: "
            "sudo usermod -aG video $USER, and log in again.",
        )
    if not _captures(path):
        return Trouble(
            "this is no camera", f"{name} is no camera that gives images; {_alternatives()}."
        )
    if _is_busy(path):
        return Trouble(
            "camera in use by another program",
            f"{name} is in use; end the other program that uses it.",
        )
    return None


def _alternatives() -> str:
    found = ", ".join(f"{index}: {title}" for index, title in list_cameras())
    return (
        f"there is {found}" if found else "no camera was found: plug one in, or try live-cam demo"
    )


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
    """Return whether a node gives images; a webcam's second one gives its metadata only.

    True where it cannot be asked, for want of permission.
    """
    answer = bytearray(_CAPABILITY_SIZE)
    code = _ask(path, _VIDIOC_QUERYCAP, answer)
    if code in (errno.EACCES, errno.EPERM, errno.EBUSY):
        return True
    (caps,) = struct.unpack_from("I", answer, _DEVICE_CAPS_OFFSET)
    return bool(caps & _VIDEO_CAPTURE)


def _is_busy(path: Path) -> bool:
    """Return whether another program streams from a camera: then it refuses even no buffers."""
    return _ask(path, _VIDIOC_REQBUFS, bytearray(_NO_BUFFERS)) == errno.EBUSY


def _ask(path: Path, request: int, data: bytearray) -> int:
    """Send an ioctl to a device and return 0 or the error's number."""
    import fcntl  # not on Windows

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
