"""What the capture tests read: videos, a server and a camera that do as they are told."""

from __future__ import annotations

import math
import struct
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np

from live_cam.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from typing_extensions import Self

RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)
WIDTH, HEIGHT = 64, 48


def marked(colour: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Return a black picture whose upper left quarter has the colour (BGR)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = colour
    return image


def colour_of(image: NDArray[np.uint8], across: float, down: float) -> str:
    """Return black, blue, green, red or another mix, at a place given in [0, 1]."""
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
    """Encode a video. `times` are the pictures' times in milliseconds."""
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
    """Ask in an MP4's track header for a turn of the picture, counterclockwise in degrees.

    Written there as phones do it, since PyAV can do so only in its newest versions.
    """
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    cosine = round(math.cos(math.radians(rotation))) << 16
    sine = round(math.sin(math.radians(rotation))) << 16
    struct.pack_into(">5i", data, matrix, cosine, -sine, 0, sine, cosine)
    path.write_bytes(data)


class Server:
    """An HTTP server on this machine: an MJPEG camera at /video, and files at their names.

    Attributes:
        image: What the camera shows.
        paused: While set, the camera says nothing.
        files: What else there is, by its path.
        asked: The paths that were asked for.
    """

    def __init__(self, port: int = 0) -> None:
        self.image: NDArray[np.uint8] = marked(RED)
        self.paused = threading.Event()
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._stopped = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        try:
            path = request.path.partition("?")[0]
            self.asked.append(path)
            if path == "/video":
                self._stream(request)
            elif path == "/private":
                request.send_error(401)
            elif path in self.files:
                data = self.files[path]
                request.send_response(200)
                request.send_header("Content-Length", str(len(data)))
                request.end_headers()
                request.wfile.write(data)
            else:
                request.send_error(404)
        except OSError:
            pass  # the client has gone

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        request.end_headers()
        while not self._stopped.wait(0.02):
            if self.paused.is_set():
                continue
            jpeg = cv2.imencode(".jpg", self.image)[1].tobytes()
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            request.wfile.write(head.encode() + jpeg + b"\r\n")

    def stop(self) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class FakeCamera:
    """A USB camera as Linux has it: if it comes back while it is open, it gets a new number.

    Attributes:
        image: What it shows, in whatever form a driver may give it.
        compresses: Whether it offers MJPG.
        frozen: Plugged in, but sends nothing: each read blocks for 20 ms, then fails.
        damaged: So many of the next pictures cannot be decoded.
        asked: The properties that were set on it, in their order.
    """

    def __init__(self) -> None:
        self.image: NDArray[Any] = marked(RED)
        self.compresses = True
        self.frozen = False
        self.damaged = 0
        self.asked: list[tuple[int, float]] = []
        self._plugged = True
        self._number = 0
        self._open: list[_FakeCapture] = []

    def capture(self, device: int | str, backend: int = 0) -> _FakeCapture:
        """Stand in for `cv2.VideoCapture`."""
        found = self._plugged and device in (self._number, f"/dev/video{self._number}")
        opened = _FakeCapture(self, opens=found and not self._open, backend=backend)
        if opened.isOpened():
            self._open.append(opened)
        return opened

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

    def forget(self, capture: _FakeCapture) -> None:
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
        self._camera.asked.append((key, value))
        if key != cv2.CAP_PROP_FOURCC or self._camera.compresses:
            self._values[key] = value
        return True

    def get(self, key: int) -> float:
        return self._values.get(key, 0.0)

    def grab(self) -> bool:
        if not self.dead:
            time.sleep(0.02 if self._camera.frozen else 0.005)
        return self._opens and not (self.dead or self._camera.frozen)

    def retrieve(self) -> tuple[bool, NDArray[Any] | None]:
        if self._camera.damaged:
            self._camera.damaged -= 1
            return False, None
        return True, self._camera.image.copy()

    def release(self) -> None:
        self._opens = False
        self._camera.forget(self)


def _code(name: str) -> float:
    return cast("float", cv2.VideoWriter.fourcc(*name))
