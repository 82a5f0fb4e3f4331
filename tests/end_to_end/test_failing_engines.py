"""Engines that fail during a run, in a real window: the image continues."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import failing
from tests.support.program import TIME_LIMIT, environment, read_log, read_video
from tests.support.session import desktop, needs_a_desktop

PROGRAM = str(Path(failing.__file__))
DEMO = ("--source", "demo", "--camera-size", "640x480", "--model", "efficientnet_lite0")
LOCKED = 504
KEPT = ("--class", str(LOCKED), "--record", "out.mp4", "--no-bars")


@pytest.mark.parametrize(
    ("fault", "arguments", "sentence"),
    [
        (
            "openvino",
            ("--engine", "openvino"),
            "hook cpu fp32: openvino cpu fp32 has failed ([GPU] clFlush, error code",
        ),
        (
            "torch",
            ("--engine", "torch"),
            "hook cpu fp32: torch cpu fp32 has failed (cuDNN error: CUDNN_STATUS",
        ),
        (
            "gpu",
            ("--engine", "hook", "--precision", "fp32"),
            "the CPU: the device cuda:0 has failed (CUDA error: unspecified launch",
        ),
    ],
)
@needs_a_desktop
def test_the_run_continues_with_the_next_engine(
    tmp_path: Path, fault: str, arguments: tuple[str, ...], sentence: str
) -> None:
    with desktop(tmp_path, *DEMO, *KEPT, *arguments, program=(PROGRAM, fault)) as session:
        session.wait((tmp_path / failing.FAILED).exists)
        count = session.explained()
        session.wait(lambda: session.explained() > count + 3)
        errors = session.end("q")
        assert session.process.returncode == 0, errors
    assert errors.count(f"Falling back to {sentence}") == 1, errors
    assert "Traceback" not in errors
    assert {line["class_index"] for line in read_log(tmp_path / "p.jsonl")} == {LOCKED}
    images = read_video(tmp_path / "out.mp4")
    assert f"{len(images)} images" in errors
    gaps = np.diff([seconds for seconds, _ in images])
    assert gaps.min() > 0, "one recording, from before the fault to after it"


@needs_a_desktop
def test_without_any_engine_the_image_continues(tmp_path: Path) -> None:
    arguments = (*DEMO, *KEPT, "--engine", "hook")
    with desktop(tmp_path, *arguments, program=(PROGRAM, "all")) as session:
        session.wait((tmp_path / failing.FAILED).exists)
        explained = session.explained()
        time.sleep(1.0)
        before = session.snapshot()
        time.sleep(1.0)
        after = session.snapshot()
        assert np.abs(middle(after) - middle(before)).mean() > 0.5, "the image still moves"
        assert session.explained() == explained == failing.FRAMES
        errors = session.end("q")
        assert session.process.returncode == 0, errors
    assert errors.count("Showing the image alone: no remaining engine can explain the image: ") == 1
    assert "can't allocate memory" in errors
    assert "Traceback" not in errors
    assert f"{len(read_video(tmp_path / 'out.mp4'))} images" in errors


def middle(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    return image[100:300].astype(np.int32)


def test_without_any_engine_a_headless_run_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "all", "run", *DEMO, *KEPT, "--engine", "hook", "--headless"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "live-cam: no remaining engine can explain the image: hook cpu fp32 has run out"
    )
    assert "Traceback" not in done.stderr
    assert len(read_video(tmp_path / "out.mp4")) > 0, "the recording so far is kept"
