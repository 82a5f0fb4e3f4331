"""Images, videos and a fake camera for the capture tests."""

from __future__ import annotations

import math
import struct
import sys
import threading
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np

from live_cam.capture import camera, driver
from live_cam.runtime.latest import Latest
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    from live_cam.capture.driver import CameraReport, Request

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)
WIDTH, HEIGHT = 64, 48


def marked(colour: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Return a black image whose top left quarter has the colour (BGR)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = colour
    return image


def colour_of(image: NDArray[np.uint8], across: float, down: float) -> str:
    """Return `black`, `blue`, `green`, `red` or a mix, at a point given in [0, 1]."""
    height, width = image.shape[:2]
    pixel = image[int(down * height), int(across * width)]
    names = ("blue", "green", "red")
    return "+".join(n for n, v in zip(names, pixel, strict=True) if v > 100) or "black"


def write_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    times: Sequence[int] | None = None,
    rate: int = 30,
    codec: str = "mpeg4",
    rotation: int | None = None,
    key_every: int | None = None,
) -> Path:
    """Encode a video, with the images' `times` in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        height, width = images[0].shape[:2]
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        if key_every:
            stream.codec_context.gop_size = key_every
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation:
        _rotate(path, rotation)
    return path


def _rotate(path: Path, rotation: int) -> None:
    """Set the rotation in an MP4's track header, counterclockwise in degrees.

    Phones write it there, and PyAV supports it only in its newest versions.
    """
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    cosine = round(math.cos(math.radians(rotation))) << 16
    sine = round(math.sin(math.radians(rotation))) << 16
    struct.pack_into(">5i", data, matrix, cosine, -sine, 0, sine, cosine)
    path.write_bytes(data)


class FakeCamera:
    """A USB camera as on Linux: if it is plugged in again while open, it gets a new number.

    Attributes:
        image: Its current image, in any form that a driver may deliver.
        compresses: Whether it supports MJPG.
        frozen: Whether it is plugged in but sends nothing: each read blocks for 20 ms and fails.
        damaged: Number of upcoming images that the driver reports as damaged.
        truncated: Number of upcoming JPEGs that lack their second half.
        blocked: While set, calls to the driver do not return.
        requested: The properties that were set on it, in order.
    """

    def __init__(self) -> None:
        self.image: NDArray[Any] = marked(RED)
        self.compresses = True
        self.frozen = False
        self.damaged = 0
        self.truncated = 0
        self.blocked = threading.Event()
        self.requested: list[tuple[int, float]] = []
        self._plugged = True
        self._number = 0
        self._open: list[_FakeCapture] = []

    def capture(self, device: int | str, backend: int = 0) -> _FakeCapture:
        """Replace `cv2.VideoCapture`."""
        exists = self._plugged and device in (self._number, f"/dev/video{self._number}")
        capture = _FakeCapture(self, opens=exists and not self._open, backend=backend)
        if capture.isOpened():
            self._open.append(capture)
        return capture

    def unplug(self) -> None:
        self._plugged = False
        for capture in self._open:
            capture.dead = True

    def plug(self) -> None:
        self._number = len(self._open)
        self._plugged = True

    @property
    def in_use(self) -> bool:
        return bool(self._open)

    def release(self, capture: _FakeCapture) -> None:
        if capture in self._open:
            self._open.remove(capture)


class _FakeCapture:
    def __init__(self, camera: FakeCamera, *, opens: bool, backend: int) -> None:
        self._camera = camera
        self._opens = opens
        self._backend = backend
        self._values = {cv2.CAP_PROP_FOURCC: _code("YUYV"), cv2.CAP_PROP_FPS: 30.0}
        self.dead = False

    def isOpened(self) -> bool:  # noqa: N802
        return self._opens

    def getBackendName(self) -> str:  # noqa: N802
        return str(self._backend)

    def set(self, key: int, value: float) -> bool:
        self._camera.requested.append((key, value))
        if key != cv2.CAP_PROP_FOURCC or self._camera.compresses:
            self._values[key] = value
        return True

    def get(self, key: int) -> float:
        return self._values.get(key, 0.0)

    def grab(self) -> bool:
        while self._camera.blocked.is_set():
            time.sleep(0.01)
        if not self.dead:
            time.sleep(0.02 if self._camera.frozen else 0.005)
        return self._opens and not (self.dead or self._camera.frozen)

    def retrieve(self) -> tuple[bool, NDArray[Any] | None]:
        if self._camera.damaged:
            self._camera.damaged -= 1
            return False, None
        image = self._camera.image
        raw = self._values.get(cv2.CAP_PROP_CONVERT_RGB) == 0
        if not raw or self._values[cv2.CAP_PROP_FOURCC] != _code("MJPG") or image.shape[2:] != (3,):
            return True, image.copy()
        jpeg = cv2.imencode(".jpg", image)[1].reshape(1, -1)
        if self._camera.truncated:
            self._camera.truncated -= 1
            jpeg = jpeg[:, : jpeg.size // 2]
        return True, jpeg

    def release(self) -> None:
        self._opens = False
        self._camera.release(self)


def install(device: FakeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace this machine's cameras by a fake one."""
    monkeypatch.setattr(cv2, "VideoCapture", device.capture)
    monkeypatch.setattr(driver, "BACKENDS", {sys.platform: (cv2.CAP_V4L2,)})
    monkeypatch.setattr(camera, "CameraProcess", DriverThread)
    monkeypatch.setattr(camera, "is_plugged_in", lambda _: True)


class DriverThread:
    """Replaces the camera's process: the same driver, for a fake camera, in a thread."""

    def __init__(self, request: Request) -> None:
        self._reports: Latest[CameraReport] = Latest()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(request,), daemon=True)
        self._thread.start()

    def _run(self, request: Request) -> None:
        def send(report: CameraReport) -> None:
            if self._stop.is_set():
                raise BrokenPipeError
            self._reports.put(report)

        try:
            driver.serve(request, send)
        except BrokenPipeError:
            return

    def newer(self, than: CameraReport | None, timeout: float) -> CameraReport | None:
        return self._reports.newer(than, timeout)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(0.3)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()


def _code(name: str) -> float:
    return cast("float", cv2.VideoWriter.fourcc(*name))
