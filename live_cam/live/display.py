"""Whether there is a display to open a window on.

OpenCV's Qt aborts the process if there is none, so this is checked first.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_X11: Final = ("darwin", "win32")
_TIMEOUT: Final = 2.0
"""Seconds to wait for a display on another machine."""
_PAUSES: Final = (0.1, 0.2)
"""Seconds before each further attempt. A virtual display restarts in less."""


def display_problem() -> str | None:
    """Check whether a window can be opened here, without opening one.

    Returns:
        Why not, as a clause for a sentence, or None if one can be opened.
    """
    with connected_display() as problem:
        return problem


@contextmanager
def connected_display() -> Iterator[str | None]:
    """Yield why no window can be opened, or None, and stay connected to the display meanwhile.

    A virtual display restarts when its last client leaves and drops those that connect meanwhile,
    so the window must be opened before this connection closes.
    """
    problem = _missing_windows() or _missing_display()
    name = os.environ.get("DISPLAY", "")
    if problem or not name or sys.platform in _NOT_X11:
        yield problem
    elif not _is_listening(name):
        yield f"no display answers at DISPLAY={name}"
    else:
        with _connected(name) as let_in:
            rejection = f"the display at DISPLAY={name} accepts only the user of the desktop"
            yield None if let_in else rejection


def _missing_windows() -> str | None:
    if cv2.currentUIFramework() or not re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        return None
    return (
        "opencv-python-headless has replaced OpenCV's windows (to repair this: "
        "`pip uninstall -y opencv-python-headless`, then `pip install --force-reinstall "
        "--no-deps opencv-python`)"
    )


def _missing_display() -> str | None:
    if sys.platform in _NOT_X11 or os.environ.get("DISPLAY"):
        return None
    if not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no display: DISPLAY is not set"
    if _bundled_platforms():
        return "this Wayland session lacks XWayland, which OpenCV needs: DISPLAY is not set"
    return None


def _is_listening(name: str) -> bool:
    """Whether X11 finds a listening display under a name. True for paths, which only X11 knows."""
    parts = re.fullmatch(r"(?P<host>[^/]*):(?P<number>\d{1,5})(\.\d+)?", name)
    if parts is None:
        return "/" in name
    host, number = parts["host"], int(parts["number"])
    path = f"/tmp/.X11-unix/X{number}"
    if host in {"", "unix"} and (_accepts("\0" + path) or _accepts(path)):
        return True
    if host == "unix" or number > 0xFFFF - 6000:
        return False
    try:
        socket.create_connection((host or "localhost", 6000 + number), _TIMEOUT).close()
    except OSError:
        return False
    return True


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True


@contextmanager
def _connected(name: str) -> Iterator[bool]:
    """Connect as X11 does, with its key, which is missing under `sudo`, for example."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        yield True
        return
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = _connection(xcb, name)
    for pause in _PAUSES:
        if not xcb.xcb_connection_has_error(connection):
            break
        xcb.xcb_disconnect(connection)
        time.sleep(pause)
        connection = _connection(xcb, name)
    try:
        yield not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)


def _connection(xcb: ctypes.CDLL, name: str) -> ctypes.c_void_p:
    with _silenced_stderr():  # libxcb prints why it fails
        return ctypes.c_void_p(xcb.xcb_connect(name.encode(), None))


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Discard what C code prints on stderr."""
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _bundled_platforms() -> set[str]:
    """Return the window systems that the wheel's own Qt supports. Empty for other builds."""
    plugins = Path(cv2.__file__).parent / "qt" / "plugins" / "platforms"
    return {path.stem.removeprefix("libq") for path in plugins.glob("libq*.so")}


def prefer_bundled_platform() -> None:
    """Override a Qt platform that the wheel lacks, on which Qt would abort.

    Wayland users often set it to `wayland` for all programs; the wheel's Qt has only X11.
    """
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    bundled = _bundled_platforms()
    names = {choice.partition(":")[0] for choice in wanted.split(";")}
    if wanted and bundled and not names & bundled:
        del os.environ["QT_QPA_PLATFORM"]
