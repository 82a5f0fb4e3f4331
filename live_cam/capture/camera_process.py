"""A camera in a process of its own.

A driver may hold whoever calls it: while a camera is frozen, Linux's keeps a process from ending
until the camera thaws or is unplugged, even by SIGKILL. Whoever only started that process goes on,
and ends when it wants to; and a driver that crashes takes nothing with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from live_cam.capture.driver import Report, Request, serve
from live_cam.runtime.latest import Latest

if TYPE_CHECKING:
    from io import RawIOBase

_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from live_cam.capture.camera_process import main; main(*json.loads(sys.argv[2]))"
)
_LENGTHS: Final = struct.Struct("<QQ")
"""Of a report, and of its pixels."""
_GOODBYE: Final = 0.25
"""Seconds in which a process that is asked to end does so, unless its driver blocks."""
_DEATH: Final = 0.25
"""Seconds in which one that was killed is gone, unless its driver holds it."""


class CameraProcess:
    """A camera's process, and the newest of its reports."""

    def __init__(self, request: Request) -> None:
        """Start it; what comes of the request is in its reports."""
        arguments = [request.device, request.name, request.size, request.fps]
        paths = [str(path) for path in sys.path]
        # Isolated: what lies in the working directory must not be imported in place of a package.
        python = [sys.executable, "-I", "-c", _CODE]
        self._process = subprocess.Popen(
            [*python, json.dumps(paths), json.dumps(arguments)],
            stdin=subprocess.PIPE,  # it ends with this
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libjpeg's words on each damaged image
            bufsize=0,
            # Ctrl-C is the program's, which then ends this.
            **_apart(),
        )
        self._reports: Latest[Report] = Latest()
        threading.Thread(target=self._receive, name=f"live_cam {request.name}", daemon=True).start()

    def newer(self, than: Report | None, timeout: float) -> Report | None:
        """Return the newest report, unless it is `than`; None: there was none in time.

        Args:
            than: The last one that was seen.
            timeout: Seconds to wait for another one.
        """
        return self._reports.newer(than, timeout)

    def end(self) -> None:
        """Let the process let go of the camera and end; without waiting for a driver that holds it.

        May be called twice.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not self._ends_within(_GOODBYE):
            self._process.kill()
            self._ends_within(_DEATH)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def ended(self) -> bool:
        """Whether the process has ended, and let go of the camera."""
        return self._process.poll() is not None

    def _receive(self) -> None:
        pipe = cast("RawIOBase", self._process.stdout)
        last = Report()
        while (report := _next_report(pipe)) is not None:
            last = report
            self._reports.put(last)
        if not last.ended:  # it crashed, or was killed
            self._reports.put(Report(opened=last.opened, ended=True))
        pipe.close()


def _apart() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _write(pipe: RawIOBase, report: Report) -> None:
    """Write a report, and behind it its pixels as they are, since they are large."""
    pixels: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(report, pickle.HIGHEST_PROTOCOL, buffer_callback=pixels.append)
    raw = [each.raw() for each in pixels]
    _write_all(pipe, memoryview(_LENGTHS.pack(len(rest), sum(map(len, raw))) + rest))
    for each in raw:
        _write_all(pipe, each)


def _write_all(pipe: RawIOBase, view: memoryview) -> None:
    while view:
        view = view[pipe.write(view) :]


def _next_report(pipe: RawIOBase) -> Report | None:
    """Read what `_write` wrote; None where the pipe ends."""
    header = bytearray(_LENGTHS.size)
    if not _read_all(pipe, memoryview(header)):
        return None
    length, pixels = _LENGTHS.unpack(header)
    rest, raw = bytearray(length), np.empty(pixels, np.uint8)
    if not _read_all(pipe, memoryview(rest)) or not _read_all(pipe, raw.data):
        return None
    return cast("Report", pickle.loads(rest, buffers=[raw] if pixels else []))


def _read_all(pipe: RawIOBase, view: memoryview) -> bool:
    while view:
        got = pipe.readinto(view)
        if not got:
            return False
        view = view[got:]
    return True


def main(device: int | str, name: str, size: list[int] | None, fps: float | None) -> None:
    """Serve a camera to the process that started this one, by the standard output."""
    # A copy of it: what a library prints must not end up between the reports.
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    request = Request(device, name, (size[0], size[1]) if size else None, fps)
    left = threading.Event()
    threading.Thread(target=_wait_for_end, args=(left,), daemon=True).start()

    def send(report: Report) -> None:
        if left.is_set():
            raise BrokenPipeError
        _write(pipe, report)

    with contextlib.suppress(BrokenPipeError):
        serve(request, send)
    # At once: the thread still reads, for which an ordinary end would wait.
    os._exit(0)


def _wait_for_end(left: threading.Event) -> None:
    """Wait until the standard input ends: by `CameraProcess.end`, or with its whole process."""
    while os.read(0, 1):
        pass
    left.set()
