"""A camera for the benchmark: MJPEG over HTTP at a steady rate, from a separate process.

Run as a script, it prints its port and serves until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.capture.demo import demo_photos
from live_cam.runtime.closing import Closing
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE: Final = (1280, 720)
"""Width and height of the images, in pixels."""
RATE: Final = 30.0
"""Images per second."""
_STEP: Final = 12
"""Pixels by which the scene moves between two images, so that no two are alike."""
_COUNT: Final = 240


class Camera(Closing):
    """The camera's process.

    Attributes:
        url: The address of the stream.
    """

    def __init__(self) -> None:
        """Start the process and wait until it serves."""
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        self.url = f"http://127.0.0.1:{port}/"

    def close(self) -> None:
        """Kill the process. May be called twice."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def images(count: int = _COUNT) -> list[bytes]:
    """Return the camera's images as JPEG: a steady pan along the demo's photos."""
    width, height = SIZE
    photos = [cv2.resize(photo, SIZE) for photo in demo_photos()]
    strip = np.asarray(np.hstack([*photos, photos[0]]), np.uint8)
    encoded = []
    for index in range(count):
        left = index * _STEP % (width * len(photos))
        view: NDArray[np.uint8] = strip[:height, left : left + width]
        encoded.append(bytes(cv2.imencode(".jpg", view)[1]))
    return encoded


class _Handler(BaseHTTPRequestHandler):
    images: tuple[bytes, ...] = ()

    def do_GET(self) -> None:  # http.server's name
        """Send images until the client disconnects."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        start = time.monotonic()
        index = 0
        try:
            while True:
                image = self.images[index % len(self.images)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n"
                self.wfile.write(head.encode() + b"\r\n" + image + b"\r\n")
                index += 1
                time.sleep(max(0.0, start + index / RATE - time.monotonic()))
        except OSError:
            return

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    _Handler.images = tuple(images())
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
