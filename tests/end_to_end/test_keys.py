"""The real window under Xvfb, with real key presses, and each key's effect."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from live_cam.opencv import cv2
from tests.program import TIME_LIMIT, command, environment, read_video
from tests.test_window import virtual_display

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
    reason="Xvfb or xdotool is not installed",
)


class Session:
    """The program in a window, and somebody at the keyboard."""

    def __init__(self, folder: Path, display: str) -> None:
        self.folder = folder
        self._environment = environment(DISPLAY=display)
        self.process = subprocess.Popen(
            command(
                *("run", "--source", "demo", "--camera-size", "640x360"),
                *("--model", "efficientnet_lite0", "--predictions", "p.jsonl", "--no-bars"),
            ),
            cwd=folder,
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.wait(lambda: (folder / "p.jsonl").exists() and self.explained() > 3)
        self._window = self._xdotool("search", "--name", "^live-cam$")[-1]
        self._xdotool("windowfocus", "--sync", self._window)

    def _xdotool(self, *arguments: str) -> list[str]:
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

    def press(self, key: str) -> None:
        self._xdotool("key", "--window", self._window, key)
        time.sleep(0.4)

    def wait(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + TIME_LIMIT
        while not reached():
            assert self.process.poll() is None, "the program has ended"
            assert time.monotonic() < limit
            time.sleep(0.05)

    def snapshot(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Press s and read what it saved."""
        before = set(self.folder.glob("live-cam-*.png"))
        self.press("s")
        self.wait(lambda: bool(set(self.folder.glob("live-cam-*.png")) - before))
        time.sleep(0.2)
        (path,) = set(self.folder.glob("live-cam-*.png")) - before
        image = cv2.imread(str(path))
        assert image is not None
        return image.astype(np.uint8)

    def end(self, key: str) -> str:
        self._xdotool("key", "--window", self._window, key)
        _, errors = self.process.communicate(timeout=60)
        return errors


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with virtual_display() as display:
        running = Session(tmp_path, display)
        yield running
        running.process.kill()
        running.process.wait(30)


def middle(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """The part of the picture between the cards."""
    return image[80:280, 60:-60].astype(np.int32)


def test_each_key_does_what_the_help_says(session: Session) -> None:
    session.press("space")
    session.wait(lambda: True)
    time.sleep(1.8)
    still = session.snapshot()
    time.sleep(1.8)
    again = session.snapshot()
    assert np.abs(middle(still) - middle(again)).max() == 0, "frozen: nothing moves"
    count = session.explained()
    time.sleep(0.5)
    assert session.explained() == count, "frozen: nothing new to explain"

    session.press("m")
    time.sleep(1.8)
    mirrored = session.snapshot()
    assert np.abs(middle(mirrored)[:, ::-1] - middle(still)).mean() < 2, "mirrored about the middle"
    session.press("m")

    for _ in range(9):
        session.press("minus")
    time.sleep(1.8)
    bare = session.snapshot()
    assert np.abs(middle(bare) - middle(still)).mean() > 10, "no heatmap at alpha 0"
    session.press("plus")
    time.sleep(1.8)
    assert np.abs(middle(session.snapshot()) - middle(bare)).mean() > 1, "and a little again"

    session.press("h")
    helped = session.snapshot()
    assert np.abs(middle(helped) - middle(bare)).mean() > 10, "the help card covers the middle"
    session.press("h")

    session.press("space")
    count = session.explained()
    session.wait(lambda: session.explained() > count + 2)

    session.press("r")
    session.wait(lambda: bool(list(session.folder.glob("live-cam-*.mp4"))))
    time.sleep(1.0)
    session.press("r")
    errors = session.end("q")
    assert session.process.returncode == 0, errors
    (recording,) = session.folder.glob("live-cam-*.mp4")
    assert len(read_video(recording)) > 3
    assert f"recorded {recording.name}" in errors
    assert "Traceback" not in errors


def test_escape_quits(session: Session) -> None:
    errors = session.end("Escape")
    assert session.process.returncode == 0, errors
    lines = [line for line in errors.splitlines() if not line.startswith("Explaining with ")]
    assert len(lines) == 1, "the terminal stays clean but for the source's and the engine's line"
