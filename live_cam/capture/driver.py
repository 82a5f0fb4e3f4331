"""A camera's driver, through OpenCV: the best format available, and a timestamp for each image.

The driver may block its caller for any length of time. Therefore this module runs in a separate
process (`live_cam.capture.camera_process`) and sends reports.
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
    # No CAP_ANY on Linux: it "opens" a webcam's second device node, which delivers no images.
    "linux": (cv2.CAP_V4L2,),
    "darwin": (cv2.CAP_AVFOUNDATION, cv2.CAP_ANY),
    "win32": (cv2.CAP_MSMF, cv2.CAP_DSHOW, cv2.CAP_ANY),
}
FIRST_IMAGE_WAIT: Final = 5.0
"""Seconds. A camera may take a while to start, and its first reads may fail."""
MJPG: Final = "MJPG"

_CHOOSES_FORMAT: Final = {cv2.CAP_AVFOUNDATION, cv2.CAP_MSMF}
"""Backends that choose the pixel format themselves to suit the requested size."""
_COMPRESSED_SIZE: Final = (1280, 720)
_RAW_SIZE: Final = (640, 480)
"""The largest uncompressed size that fits through USB 2 at 30 frames per second."""
_FPS: Final = 30.0
_BUFFERS: Final = 2
"""One is filled while the other is read. With one, the driver drops every second image; with more,
a slow reader receives old images."""
_FAST_FAILURE: Final = 0.5
"""Seconds. A read that fails faster did not wait for an image: the camera is gone."""
_RETRY_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """A camera to open, and the requested format."""

    device: int | str
    """Index or device path."""
    name: str
    """Display name."""
    size: tuple[int, int] | None = None
    """Width and height in pixels, or None for 1280×720 from cameras that can compress and 640×480
    from others."""
    fps: float | None = None
    """Frames per second, or None for 30."""


@dataclass(frozen=True, slots=True)
class Shot:
    """An image as the driver delivers it."""

    data: NDArray[Any] | None
    """The bytes of a JPEG file, H×W or H×W×C pixels, or None if the driver reports damage."""
    compressed: bool
    """Whether `data` is a JPEG file."""
    timestamp: float
    """Delivery time, in seconds of `time.monotonic()`."""
    pixels: str
    """The driver's name for the pixel format, or empty if unknown."""
    rate: float
    """Frames per second according to the driver, or 0 if unknown."""


@dataclass(frozen=True, slots=True)
class CameraReport:
    """The current state of a request."""

    opened: bool = False
    """Whether the camera could be opened."""
    shot: Shot | None = None
    """The newest image."""
    ended: bool = False
    """Whether the driver has given up: the camera cannot be opened, is gone, or sends nothing."""
    problem: Trouble | None = None
    """The reason for giving up, if known."""


class Driver:
    """A camera opened through one backend.

    Attributes:
        opened: Whether the camera could be opened.
    """

    def __init__(self, request: Request, backend: int) -> None:
        """Open the camera in its best format.

        Args:
            request: The camera and the requested format.
            backend: OpenCV's constant for the backend.
        """
        self._capture = cv2.VideoCapture(request.device, backend)
        self.opened = self._capture.isOpened()
        self._compressed = False
        self._format: tuple[str, float] | None = None
        if not self.opened:
            self._capture.release()
            return
        # The pixel format comes first, since it determines the available sizes and rates.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*MJPG))
        compresses = self._pixels() == MJPG or backend in _CHOOSES_FORMAT
        width, height = request.size or (_COMPRESSED_SIZE if compresses else _RAW_SIZE)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, request.fps or _FPS)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        if backend == cv2.CAP_V4L2 and self._pixels() == MJPG:
            # The JPEG takes a hundredth of the decoded size to transfer, and reveals truncation.
            self._compressed = bool(self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))

    def capture(self) -> Shot | None:
        """Return the next image, or None if none arrives; the driver decides how long to block."""
        if not self._capture.grab():
            return None
        timestamp = time.monotonic()
        decoded, data = self._capture.retrieve()
        if self._format is None:
            self._format = self._pixels(), float(self._capture.get(cv2.CAP_PROP_FPS))
        if not decoded or not data.size:
            return Shot(None, False, timestamp, *self._format)
        # Some builds of OpenCV accept CAP_PROP_CONVERT_RGB and decode all the same.
        is_file = self._compressed and data.ndim <= 2 and data.size == max(data.shape)
        return Shot(data, is_file, timestamp, *self._format)

    def release(self) -> None:
        """Release the camera. May be called twice."""
        self._capture.release()

    def _pixels(self) -> str:
        """Return the pixel format that the camera actually sends, or an empty name if unknown."""
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        name = code.to_bytes(4, "little", signed=True).decode("latin-1").strip()
        return name if code > 0 and name.isascii() and name.isprintable() else ""


def serve(request: Request, send: Callable[[CameraReport], None]) -> None:
    """Open a camera and send reports until it delivers nothing more.

    Args:
        request: The camera and the requested format.
        send: Called with each report.

    Raises:
        BrokenPipeError: `send` raised it, since its receiver is gone.
    """
    try:
        last = _serve(request, send)
    except BrokenPipeError:
        raise
    except Exception as error:  # any failure of an OpenCV backend is reported
        reason = (
            f"the driver of {request.name} failed ({first_line(error)}); unplug the camera and "
            "plug it in again."
        )
        last = CameraReport(ended=True, problem=Trouble("the camera's driver failed", reason))
    send(last)


def _serve(request: Request, send: Callable[[CameraReport], None]) -> CameraReport:
    opened = False
    for backend in BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
        driver = Driver(request, backend)
        try:
            if driver.opened:
                opened = True
                send(CameraReport(opened=True))
                if _report_images(driver, send):
                    return CameraReport(opened=True, ended=True)
        finally:
            driver.release()
    problem = camera_problem(request.device, request.name, opened=opened)
    return CameraReport(opened=opened, ended=True, problem=problem)


def _report_images(driver: Driver, send: Callable[[CameraReport], None]) -> bool:
    """Report images until the camera is gone, and return whether there were any."""
    delivered = False
    began = time.monotonic()
    while True:
        requested = time.monotonic()
        shot = driver.capture()
        now = time.monotonic()
        if shot is None and now - requested < _FAST_FAILURE:
            if delivered:
                return True
            time.sleep(_RETRY_PAUSE)
        # Sent even without an image, since only `send` reveals that the receiver is gone.
        send(CameraReport(opened=True, shot=shot))
        delivered = delivered or (shot is not None and shot.data is not None)
        if not delivered and now - began > FIRST_IMAGE_WAIT:
            return False
