"""`live-cam image` as a user runs it: exit codes, messages and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.runtime.opencv import cv2
from tests.support.program import TIME_LIMIT, called, command, environment, live_cam, read_video
from tests.support.running_stills import names, record

MODEL = ("--model", "efficientnet_lite0")


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, NDArray[np.uint8]]) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, image in photos.items():
        cv2.imwrite(str(folder / f"{name}.png"), image)
    return folder


def test_a_folder_with_a_damaged_image(folder: Path) -> None:
    (folder / "text.jpg").write_text("no image")
    done = live_cam("image", folder, *MODEL, "--json", "--output", "out", cwd=folder.parent)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(f"{folder / 'coffee.png'}: espresso 9")
    assert lines[1].endswith(f"→ {Path('out') / 'coffee.cam.jpg'}")
    first, last = done.stderr.splitlines()
    assert str(folder / "text.jpg") in first
    assert last == "Explained 4 of 5 images; 1 could not be explained."
    assert len(names(folder.parent / "out")) == 8
    assert record(folder.parent / "out" / "coffee.json")["label"] == "espresso"


def test_one_image_prints_one_line(folder: Path) -> None:
    done = live_cam("image", "coffee.png", *MODEL, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("coffee.png: espresso")
    assert done.stderr == ""
    assert (folder / "coffee.cam.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["PATH"]),
        (["nowhere.png"], ["'nowhere.png'"]),
        (["*.tif"], ["'*.tif'"]),
        (["empty"], ["no image in the folder empty"]),
        (["coffee.png", "--class", "cat"], ["'cat'", "Egyptian cat"]),
        (["coffee.png", "--output", "coffee.png"], ["coffee.png"]),
        (["coffee.png", "--output", "coffee.png/x"], ["coffee.png"]),
        (["coffee.png", "--panel"], ["coffee.panel.jpg already exists", "--overwrite"]),
        (["coffee.png", "--feature-maps", "avi"], ["'avi'", "mp4"]),
        (["coffee.png", "--maps", "0"], ["--maps"]),
        (["coffee.png", "--batch", "0"], ["--batch"]),
        (["coffee.png", "--layer", "bn3"], ["bn3", "bn2"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_gets_one_sentence_and_writes_nothing(
    folder: Path, arguments: list[str], parts: list[str]
) -> None:
    (folder / "coffee.panel.jpg").write_text("precious")
    (folder / "empty").mkdir()
    before = names(folder)
    done = called("image", *arguments, *MODEL, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert names(folder) == before
    assert (folder / "coffee.panel.jpg").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_only_complete_files(folder: Path, number: signal.Signals) -> None:
    options = ("--feature-maps", "mp4", "--maps", "100", "--batch", "1")
    process = subprocess.Popen(
        command("image", folder, *MODEL, *options, "--output", folder / "out"),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    limit = time.monotonic() + TIME_LIMIT
    while not list((folder / "out").glob(".coffee*.mp4")):
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "Stopped after 1 of 4 images." in errors
    assert names(folder / "out") == ["chelsea.cam.jpg", "chelsea.maps.mp4", "coffee.cam.jpg"]
    assert len(read_video(folder / "out" / "chelsea.maps.mp4")) == 100 + 16
