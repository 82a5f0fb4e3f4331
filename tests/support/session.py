"""The program in a real window on a virtual display, with a simulated keyboard and mouse."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.runtime.opencv import cv2
from tests.support.display import ask_to_close, virtual_display
from tests.support.program import TIME_LIMIT, command, environment

needs_a_desktop = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
    reason="Xvfb or xdotool is not installed",
)
WINDOW_MANAGER = shutil.which("openbox")
"""Without a window manager no window can fill the screen."""
_PNG_END = b"IEND\xaeB`\x82"


class Session:
    """`live-cam run` with a window, in a separate folder.

    `program` replaces `python -m live_cam`.
    """

    def __init__(
        self, folder: Path, display: str, *arguments: str | Path, program: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self._environment = environment(DISPLAY=display)
        started = command("run", "--predictions", "p.jsonl", *arguments)
        if program:
            started[1:3] = program
        self._latency = 0.0
        # A file, because a pipe could only be read to its end.
        self._messages = folder / "messages.txt"
        with self._messages.open("wb") as file:
            self.process = subprocess.Popen(started, cwd=folder, env=self._environment, stderr=file)
        self.wait(lambda: (folder / "p.jsonl").exists() and self.explained() > 0)
        self.window = self.xdotool("search", "--name", "^live-cam$")[-1]
        self.xdotool("windowfocus", "--sync", self.window)

    def xdotool(self, *arguments: str) -> list[str]:
        done = subprocess.run(
            ["xdotool", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout.split()

    def explained(self) -> int:
        return len((self.folder / "p.jsonl").read_bytes().splitlines())

    def messages(self) -> str:
        """Return what the program has written to stderr so far."""
        return self._messages.read_text(encoding="utf-8", errors="replace")

    def press(self, *keys: str) -> None:
        """Press keys one after another, each once the program has read the one before.

        Of the keys that arrive while an image is drawn OpenCV returns only the last.
        """
        for key in keys:
            self._send(key)
            time.sleep(max(0.4, 1.5 * self._latency))

    def _send(self, key: str) -> None:
        self.xdotool("key", "--window", self.window, key)

    def size(self) -> tuple[int, int]:
        """Width and height of the window in pixels of the screen."""
        geometry = self.xdotool("getwindowgeometry", self.window)[-1]
        width, _, height = geometry.partition("x")
        return int(width), int(height)

    def move(self, x: int, y: int) -> None:
        """Move the mouse to a position in the window."""
        self.xdotool("mousemove", "--window", self.window, "--sync", str(x), str(y))
        time.sleep(0.2)

    def wait(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + TIME_LIMIT
        while not reached():
            assert self.process.poll() is None, f"the program has ended: {self.messages()}"
            assert time.monotonic() < limit
            time.sleep(0.05)

    def snapshot(self) -> NDArray[np.uint8]:
        """Press s and return the saved image."""
        before = set(self.folder.glob("live-cam-*.png"))
        sent = time.monotonic()
        self._send("s")

        def complete() -> bool:
            new = set(self.folder.glob("live-cam-*.png")) - before
            return any(path.read_bytes().endswith(_PNG_END) for path in new)

        self.wait(complete)
        self._latency = time.monotonic() - sent
        (path,) = set(self.folder.glob("live-cam-*.png")) - before
        image = cv2.imread(str(path))
        assert image is not None
        return image.astype(np.uint8)

    def until(self, reached: Callable[[NDArray[np.uint8]], bool], seconds: float = 30.0) -> None:
        """Take snapshots until one satisfies a condition."""
        limit = time.monotonic() + seconds
        while not reached(self.snapshot()):
            assert time.monotonic() < limit, "the image never satisfied the condition"

    def close_window(self) -> None:
        """Ask the window to close, like the close button in its title bar."""
        ask_to_close(self._environment["DISPLAY"], self.window)

    def end(self, key: str) -> str:
        """Press a key that quits, and return the program's messages."""
        self.xdotool("key", "--window", self.window, key)
        return self.ended()

    def ended(self) -> str:
        """Wait until the program has ended, and return its messages."""
        self.process.wait(60)
        return self.messages()


@contextmanager
def desktop(folder: Path, *arguments: str | Path, program: Sequence[str] = ()) -> Iterator[Session]:
    """A session on a virtual display, with a window manager if one is installed."""
    with virtual_display() as display:
        manager = None
        if WINDOW_MANAGER:
            manager = subprocess.Popen(
                [WINDOW_MANAGER], env=environment(DISPLAY=display), stderr=subprocess.DEVNULL
            )
        session = Session(folder, display, *arguments, program=program)
        try:
            yield session
        finally:
            for process in (session.process, manager):
                if process:
                    process.kill()
                    process.wait(30)
