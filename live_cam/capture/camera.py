"""Cameras, by OpenCV: the driver's best format, the picture's real time, and the way back."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from live_cam.capture.base import Picture
from live_cam.capture.devices import camera_problem
from live_cam.capture.live import GRACE, LiveSource
from live_cam.errors import CaptureError
from live_cam.opencv import cv2

if TYPE_CHECKING:
    from cv2.typing import MatLike
    from numpy.typing import NDArray

_BACKENDS: Final = {
    # No CAP_ANY on Linux: it "opens" a webcam's second device node, which holds no pictures.
    "linux": (cv2.CAP_V4L2,),
    "darwin": (cv2.CAP_AVFOUNDATION, cv2.CAP_ANY),
    "win32": (cv2.CAP_MSMF, cv2.CAP_DSHOW, cv2.CAP_ANY),
}
_CHOOSES_FORMAT: Final = {cv2.CAP_AVFOUNDATION, cv2.CAP_MSMF}
"""Backends that find the pixel format for the size that was asked for by themselves."""
_MJPG: Final = cv2.VideoWriter_fourcc(*"MJPG")  # type: ignore[attr-defined]
_COMPRESSED_SIZE: Final = (1280, 720)
_RAW_SIZE: Final = (640, 480)
"""More than this, uncompressed, does not get through USB 2 thirty times a second."""
_FPS: Final = 30.0
_BUFFERS: Final = 2
"""One is filled while the other one is decoded. With a single one the driver drops every second
picture; with more, a slow decoder gets old ones."""
_FIRST_PICTURE_WAIT: Final = 5.0
"""Seconds; a camera may need some to start, and its first reads may fail."""
_DAMAGED_IN_A_ROW: Final = 30
"""So many undecodable pictures, one after another, and the camera counts as lost."""


class Camera(LiveSource):
    """A camera of this machine."""

    def __init__(
        self,
        device: int | str,
        *,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        grace: float = GRACE,
    ) -> None:
        """Open the camera and take its first picture.

        Args:
            device: The index, or the path of the device.
            size: Width and height to ask for, in pixels; None: 1280×720 from cameras that can
                compress, 640×480 from others.
            fps: Frames per second to ask for; None: 30.
            grace: Seconds in which a lost camera may come back.

        Raises:
            CaptureError: There is no such camera, it may not be used, another program uses it, or
                it sends no picture.
        """
        super().__init__(f"camera {device}" if isinstance(device, int) else device, grace=grace)
        self._device = device
        self._size = size
        self._fps = fps
        self._capture: cv2.VideoCapture | None = None
        answered = False
        for backend in _BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
            self._backend = backend
            self._reopen()
            answered |= self._capture is not None
            first = self._first_picture()
            if first is not None:
                self.description = self._describe(first.image)
                self._start(first)
                return
            self._release()
        raise CaptureError(camera_problem(device, self.name, answered=answered))

    def _first_picture(self) -> Picture | None:
        deadline = time.monotonic() + _FIRST_PICTURE_WAIT
        while self._capture is not None and time.monotonic() < deadline:
            picture = self._grab()
            if picture is not None:
                return picture
            time.sleep(0.05)
        return None

    def _grab(self) -> Picture | None:
        if self._capture is None:
            return None
        for _ in range(_DAMAGED_IN_A_ROW):
            if not self._capture.grab():
                return None
            timestamp = time.monotonic()
            decoded, image = self._capture.retrieve()
            if decoded and image.size:
                return Picture(_to_bgr(image), timestamp)
        return None

    def _reopen(self) -> None:
        capture = cv2.VideoCapture(self._device, self._backend)
        if not capture.isOpened():
            capture.release()
            return
        # The pixel format first: it decides which sizes and rates there are.
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        compresses = _fourcc(capture) == "MJPG" or self._backend in _CHOOSES_FORMAT
        width, height = self._size or (_COMPRESSED_SIZE if compresses else _RAW_SIZE)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, self._fps or _FPS)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        self._capture = capture

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _describe(self, image: NDArray[np.uint8]) -> str:
        assert self._capture is not None
        height, width = image.shape[:2]
        pixels = _fourcc(self._capture)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        description = f"{width}×{height}"
        if pixels:
            description += f" {pixels}"
        return description + (f" at {rate:.4g} fps" if rate > 0 else "")

    def _lost(self) -> str:
        return (
            f"{self.name} was lost and did not come back within {self.grace:g} s; check its cable "
            "and start again."
        )


def _fourcc(capture: cv2.VideoCapture) -> str:
    """Return the name of the pixel format that the camera really sends; empty if unknown."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    name = code.to_bytes(4, "little", signed=True).decode("latin-1").strip()
    return name if code > 0 and name.isascii() and name.isprintable() else ""


def _to_bgr(image: MatLike) -> NDArray[np.uint8]:
    """Convert what a driver gave: grey, packed YUV, with an alpha channel, or deeper than 8 bit."""
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 256)
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif channels == 2:
        image = cv2.cvtColor(image, cv2.COLOR_YUV2BGR_YUY2)
    elif channels == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    return cast("NDArray[np.uint8]", image)
