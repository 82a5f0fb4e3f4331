"""A virtual display, and scripts that open windows on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PRELUDE = """
import ctypes, subprocess, sys, time
import numpy as np
from live_cam.errors import WindowError
from live_cam.runtime.opencv import cv2
from live_cam.live.window import Window, display_problem

IMAGE = np.full((240, 320, 3), 90, np.uint8)

def xdotool(*arguments):
    done = subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()

def visible_windows():
    command = ["xdotool", "search", "--onlyvisible", "--name", "^live-cam$"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()

def settle(window):
    window.show(IMAGE)
    for _ in range(20):
        window.poll(5)

def focus(window, title="live-cam"):
    settle(window)
    number = xdotool("search", "--name", f"^{title}$")[-1]
    xdotool("windowfocus", "--sync", number)
    settle(window)
    return int(number)

def press(window, *keys):
    for key in keys:
        xdotool("key", key)
        deadline = time.monotonic() + 5
        name = None
        while name is None and time.monotonic() < deadline:
            name = window.poll(20)
        yield name

def ask_to_close(number):
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    connection = ctypes.c_void_p(x11.XOpenDisplay(None))
    names = (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    atoms = [x11.XInternAtom(connection, name, 0) for name in names]

    class Message(ctypes.Structure):
        _fields_ = [
            ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
            ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("kind", ctypes.c_ulong),
            ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("rest", ctypes.c_char * 128),
        ]

    message = Message(type=33, window=number, kind=atoms[0], format=32)
    message.data[0] = atoms[1]
    x11.XSendEvent(connection, ctypes.c_ulong(number), 0, ctypes.c_long(0), ctypes.byref(message))
    x11.XCloseDisplay(connection)
"""


def run(script: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run a script in its own process; None removes an environment variable."""
    variables = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        env={name: value for name, value in variables.items() if value is not None},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(script: str, **environment: str | None) -> list[str]:
    """Return what a script prints; it must succeed and print nothing on stderr."""
    done = run(script, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def ask_to_close(display: str, window: str) -> None:
    """Ask a window of another program to close, as the cross in its title bar does."""
    done = run(f"ask_to_close({window})", DISPLAY=display)
    assert done.returncode == 0, done.stderr


@contextmanager
def virtual_display(*options: str) -> Iterator[str]:
    if sys.platform != "linux" or shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1600x1000x24", *options],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)
