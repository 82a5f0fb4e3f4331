"""Running a camera's driver in a separate process.

A driver may block its caller: on Linux, a process inside the driver of a frozen camera cannot end,
not even by SIGKILL, until the camera recovers or is unplugged. The parent process stays responsive
and can exit at any time, and survives a driver that crashes.
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

from live_cam.capture.driver import CameraReport, Request, serve
from live_cam.runtime.latest import Latest

if TYPE_CHECKING:
    from io import RawIOBase

_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from live_cam.capture.camera_process import main; main(*json.loads(sys.argv[2]))"
)
_LENGTHS: Final = struct.Struct("<QQ")
"""Header of a report: the bytes of its pickle, and of its pixels."""
_END_WAIT: Final = 0.25
"""Seconds in which the process ends on request, unless its driver blocks."""
_KILL_WAIT: Final = 0.25
"""Seconds in which it ends after being killed, unless its driver blocks."""


class CameraProcess:
    """The process of a camera's driver, and the newest of its reports."""

    def __init__(self, request: Request) -> None:
        """Start the process, which reports whether it could open the camera."""
        arguments = [request.device, request.name, request.size, request.fps]
        paths = [str(path) for path in sys.path]
        # Isolated, so that files in the working directory cannot shadow packages.
        python = [sys.executable, "-I", "-c", _CODE]
        self._process = subprocess.Popen(
            [*python, json.dumps(paths), json.dumps(arguments)],
            stdin=subprocess.PIPE,  # closing it ends the process
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libjpeg complains about each damaged image
            bufsize=0,
            # Ctrl-C must reach only the main program, which then ends this process.
            **_detached(),
        )
        self._reports: Latest[CameraReport] = Latest()
        threading.Thread(target=self._receive, name=f"live_cam {request.name}", daemon=True).start()

    def newer(self, than: CameraReport | None, timeout: float) -> CameraReport | None:
        """Return the newest report once it differs from `than`, or None after the timeout.

        Args:
            than: The last report received, if any.
            timeout: Seconds to wait.
        """
        return self._reports.newer(than, timeout)

    def end(self) -> None:
        """Make the process release the camera and end, without waiting for a driver that blocks.

        May be called twice.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not self._ends_within(_END_WAIT):
            self._process.kill()
            self._ends_within(_KILL_WAIT)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def ended(self) -> bool:
        """Whether the process has ended, and so released the camera."""
        return self._process.poll() is not None

    def _receive(self) -> None:
        pipe = cast("RawIOBase", self._process.stdout)
        last = CameraReport()
        while (report := _next_report(pipe)) is not None:
            last = report
            self._reports.put(last)
        if not last.ended:  # it crashed or was killed
            self._reports.put(CameraReport(opened=last.opened, ended=True))
        pipe.close()


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _write(pipe: RawIOBase, report: CameraReport) -> None:
    """Write a report, followed by its pixels unpickled, since they are large."""
    pixels: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(report, pickle.HIGHEST_PROTOCOL, buffer_callback=pixels.append)
    views = [buffer.raw() for buffer in pixels]
    _write_all(pipe, memoryview(_LENGTHS.pack(len(rest), sum(map(len, views))) + rest))
    for view in views:
        _write_all(pipe, view)


def _write_all(pipe: RawIOBase, view: memoryview) -> None:
    while view:
        view = view[pipe.write(view) :]


def _next_report(pipe: RawIOBase) -> CameraReport | None:
    """Read what `_write` wrote; return None at the end of the pipe."""
    header = bytearray(_LENGTHS.size)
    if not _read_all(pipe, memoryview(header)):
        return None
    length, pixels = _LENGTHS.unpack(header)
    rest, raw = bytearray(length), np.empty(pixels, np.uint8)
    if not _read_all(pipe, memoryview(rest)) or not _read_all(pipe, raw.data):
        return None
    return cast("CameraReport", pickle.loads(rest, buffers=[raw] if pixels else []))


def _read_all(pipe: RawIOBase, view: memoryview) -> bool:
    while view:
        count = pipe.readinto(view)
        if not count:
            return False
        view = view[count:]
    return True


def main(device: int | str, name: str, size: list[int] | None, fps: float | None) -> None:
    """Serve a camera to the parent process through the standard output."""
    # Write to a copy of it: output printed by libraries must not mix with the reports.
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    request = Request(device, name, (size[0], size[1]) if size else None, fps)
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()

    def send(report: CameraReport) -> None:
        if stop.is_set():
            raise BrokenPipeError
        _write(pipe, report)

    with contextlib.suppress(BrokenPipeError):
        serve(request, send)
    # A regular exit would wait for the thread, which is still reading.
    os._exit(0)


def _wait_for_end(stop: threading.Event) -> None:
    """Wait until the standard input closes, by `CameraProcess.end` or with the parent process."""
    while os.read(0, 1):
        pass
    stop.set()
