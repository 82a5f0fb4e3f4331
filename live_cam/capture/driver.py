"""A camera's driver, by OpenCV: the best format it has, and each image with its real time.

It may block whoever calls it for as long as it likes. So this runs in a process of its own
(`live_cam.capture.camera_process`), and says what happens by reports.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from live_cam.capture.base import Trouble
from live_cam.capture.devices import camera_problem
from live_cam.errors import first_line
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

BACKENDS: Final = {
    # No CAP_ANY on Linux: it "opens" a webcam's second device node, which holds no images.
    "linux": (cv2.CAP_V4L2,),
    "darwin": (cv2.CAP_AVFOUNDATION, cv2.CAP_ANY),
    "win32": (cv2.CAP_MSMF, cv2.CAP_DSHOW, cv2.CAP_ANY),
}
FIRST_IMAGE_WAIT: Final = 5.0
"""Seconds; a camera may need some to start, and its first reads may fail."""
MJPG: Final = "MJPG"

_CHOOSES_FORMAT: Final = {cv2.CAP_AVFOUNDATION, cv2.CAP_MSMF}
"""Backends that find the pixel format for the size that was asked for by themselves."""
_COMPRESSED_SIZE: Final = (1280, 720)
_RAW_SIZE: Final = (640, 480)
"""More than this, uncompressed, does not get through USB 2 thirty times a second."""
_FPS: Final = 30.0
_BUFFERS: Final = 2
"""One is filled while the other one is read. With a single one the driver drops every second
image; with more, a slow reader gets old ones."""
_AT_ONCE: Final = 0.5
"""Seconds. A read that fails in less was no wait in vain: the camera is gone."""
_RETRY_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """Which camera is wanted, and how."""

    device: int | str
    """The index, or the path of the device."""
    name: str
    """What the user knows it as."""
    size: tuple[int, int] | None = None
    """Width and height to ask for, in pixels; None: 1280×720 from cameras that can compress,
    640×480 from others."""
    fps: float | None = None
    """Frames per second to ask for; None: 30."""


@dataclass(frozen=True, slots=True)
class Shot:
    """An image as the driver gave it."""

    data: NDArray[Any] | None
    """A JPEG file's bytes, or H×W or H×W×C pixels; None: the driver says that it is damaged."""
    compressed: bool
    """Whether it is a JPEG file."""
    timestamp: float
    """Seconds of `time.monotonic()`, when the driver handed it out."""
    pixels: str
    """The driver's name of the pixel format; empty if unknown."""
    rate: float
    """Images per second, as the driver says; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Report:
    """What has come of a request, at this moment."""

    opened: bool = False
    """Whether the camera could be opened."""
    shot: Shot | None = None
    """The newest image."""
    ended: bool = False
    """Whether the camera is given up: it could not be opened, is gone, or sends nothing."""
    problem: Trouble | None = None
    """Why, where it is known."""


class Driver:
    """A camera that was opened by one backend, unless it says otherwise.

    Attributes:
        opened: Whether the camera could be opened.
    """

    def __init__(self, request: Request, backend: int) -> None:
        """Open the camera in the best format that it has.

        Args:
            request: Which camera.
            backend: OpenCV's number of the backend.
        """
        self._capture = cv2.VideoCapture(request.device, backend)
        self.opened = self._capture.isOpened()
        self._compressed = False
        self._given: tuple[str, float] | None = None
        if not self.opened:
            self._capture.release()
            return
        # The pixel format first: it decides which sizes and rates there are.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*MJPG))
        compresses = self._pixels() == MJPG or backend in _CHOOSES_FORMAT
        width, height = request.size or (_COMPRESSED_SIZE if compresses else _RAW_SIZE)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, request.fps or _FPS)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        if backend == cv2.CAP_V4L2 and self._pixels() == MJPG:
            # As it comes: it is a hundredth of the pixels to hand over, and shows what is cut off.
            self._compressed = bool(self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))

    def shoot(self) -> Shot | None:
        """Wait for the next image, for as long as the driver wants; None if none comes."""
        if not self._capture.grab():
            return None
        timestamp = time.monotonic()
        decoded, data = self._capture.retrieve()
        if self._given is None:
            self._given = self._pixels(), float(self._capture.get(cv2.CAP_PROP_FPS))
        if not decoded or not data.size:
            return Shot(None, False, timestamp, *self._given)
        # Not every build of OpenCV does as it says it does.
        is_file = self._compressed and data.ndim <= 2 and data.size == max(data.shape)
        return Shot(data, is_file, timestamp, *self._given)

    def release(self) -> None:
        """Let go of the camera. May be called twice."""
        self._capture.release()

    def _pixels(self) -> str:
        """Return the pixel format that the camera really sends; empty if unknown."""
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        name = code.to_bytes(4, "little", signed=True).decode("latin-1").strip()
        return name if code > 0 and name.isascii() and name.isprintable() else ""


def serve(request: Request, send: Callable[[Report], None]) -> None:
    """Open a camera and report all it gives, until it gives no more.

    Args:
        request: Which camera.
        send: Told of everything.

    Raises:
        BrokenPipeError: By `send`: nobody listens any more.
    """
    try:
        last = _serve(request, send)
    except BrokenPipeError:
        raise
    except Exception as error:  # OpenCV's, of a backend; whoever listens must know
        reason = f"{request.name} failed in its driver ({first_line(error)}); plug it in anew."
        last = Report(ended=True, problem=Trouble("the camera's driver failed", reason))
    send(last)


def _serve(request: Request, send: Callable[[Report], None]) -> Report:
    answered = False
    for backend in BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
        driver = Driver(request, backend)
        try:
            if driver.opened:
                answered = True
                send(Report(opened=True))
                if _report_images(driver, send):
                    return Report(opened=True, ended=True)
        finally:
            driver.release()
    problem = camera_problem(request.device, request.name, answered=answered)
    return Report(opened=answered, ended=True, problem=problem)


def _report_images(driver: Driver, send: Callable[[Report], None]) -> bool:
    """Report images until the camera is gone, and return whether there was one."""
    seen = False
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        shot = driver.shoot()
        now = time.monotonic()
        if shot is None and now - asked < _AT_ONCE:
            if seen:
                return True
            time.sleep(_RETRY_PAUSE)
        # Also without an image: it is how this learns that nobody listens any more.
        send(Report(opened=True, shot=shot))
        seen = seen or (shot is not None and shot.data is not None)
        if not seen and now - began > FIRST_IMAGE_WAIT:
            return False
