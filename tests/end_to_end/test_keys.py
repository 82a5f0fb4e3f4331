"""The demo in a real window, with real key presses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.program import read_video
from tests.support.session import Session, desktop, needs_a_desktop

pytestmark = needs_a_desktop
DEMO = (
    *("--source", "demo", "--camera-size", "640x360"),
    *("--model", "efficientnet_lite0", "--engine", "hook"),
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with desktop(tmp_path, *DEMO, "--no-bars") as running:
        running.wait(lambda: running.explained() > 3)
        yield running


def middle(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The part of the image between the cards."""
    return image[80:280, 60:-60].astype(np.int32)


def test_each_key_does_what_the_help_says(session: Session) -> None:
    session.press("space")
    time.sleep(8.0)  # a smoothed heatmap settles on the frame's own
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
    assert np.abs(middle(mirrored)[:, ::-1] - middle(still)).mean() < 2, "mirrored about the centre"
    session.press("m")

    for _ in range(9):
        session.press("minus")
    time.sleep(1.8)
    bare = session.snapshot()
    assert np.abs(middle(bare) - middle(still)).mean() > 10, "no heatmap at alpha 0"
    session.press("plus")
    time.sleep(1.8)
    assert np.abs(middle(session.snapshot()) - middle(bare)).mean() > 1, "and a weak one again"

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
    assert len(lines) == 1, "the terminal shows only the source and the engine"
