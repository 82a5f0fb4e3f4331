"""A local HTTP server for tests, which can also misbehave."""

from __future__ import annotations

import base64
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from live_cam.runtime.opencv import cv2
from tests.support.media import RED, marked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self


class Server:
    """An MJPEG camera at /video, and files at their paths.

    Attributes:
        image: The camera's current image.
        pause: Seconds between two images.
        paused: While set, the camera sends nothing.
        silent: While set, requests are accepted but not answered.
        garbage: While set, the camera sends random bytes instead of images.
        truncated: Number of upcoming images that lack their second half, with a matching length.
        short: Number of upcoming images that are shorter than their declared length.
        sent: Number of images sent so far.
        authorizations: The `Authorization` header of each request so far.
        login: The required `name:password`, or None.
        files: Content of further files by path.
        cut_files_at: Number of bytes of a file after which the connection breaks, or None.
        redirects: Target of each redirected path.
    """

    def __init__(self, port: int = 0) -> None:
        self.image: NDArray[np.uint8] = marked(RED)
        self.pause = 0.02
        self.paused = threading.Event()
        self.silent = threading.Event()
        self.garbage = threading.Event()
        self.truncated = 0
        self.short = 0
        self.sent = 0
        self.authorizations: list[str | None] = []
        self.login: str | None = None
        self.files: dict[str, bytes] = {}
        self.cut_files_at: int | None = None
        self.redirects: dict[str, str] = {}
        self._stopped = threading.Event()
        self._connections: set[socket.socket] = set()
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
        self._connections.add(request.connection)
        self.authorizations.append(request.headers.get("Authorization"))
        try:
            self._answer(request, request.path.partition("?")[0])
        except OSError:
            pass  # the client has gone
        finally:
            self._connections.discard(request.connection)

    def _answer(self, request: BaseHTTPRequestHandler, path: str) -> None:
        while self.silent.is_set():
            if self._stopped.wait(0.02):
                return
        if self.login and self.authorizations[-1] != _basic(self.login):
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
        elif path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[path])
            request.end_headers()
        elif path == "/video":
            self._stream(request)
        elif path == "/private":
            request.send_error(401)
        elif path in self.files:
            data = self.files[path]
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data[: self.cut_files_at])
        else:
            request.send_error(404)

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=image")
        request.end_headers()
        while not self._stopped.wait(self.pause):
            if self.paused.is_set():
                self._stopped.wait(0.02)
            elif self.garbage.is_set():
                request.wfile.write(os.urandom(4096))
            else:
                request.wfile.write(self._part())
                self.sent += 1

    def _part(self) -> bytes:
        jpeg = cv2.imencode(".jpg", self.image)[1].tobytes()
        length = len(jpeg)
        if self.truncated:
            self.truncated -= 1
            jpeg = jpeg[: length // 2]
            length //= 2
        elif self.short:
            self.short -= 1
            jpeg = jpeg[: length // 2]
        head = f"--image\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n"

    def drop(self) -> None:
        """Break all connections, as a restarting router does."""
        for connection in list(self._connections):
            connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()
