"""`live-cam evaluate` as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.program import TIME_LIMIT, called, command, environment, live_cam

QUICK = ("--model", "efficientnet_lite0", "--method", "gradcam", "--steps", "2")


def test_real_photos_in_folders_named_by_class(photo_folder: Path, tmp_path: Path) -> None:
    for label, name in {"espresso": "coffee.png", "665": "motorcycle_left.png"}.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        shutil.copy(photo_folder / name, tmp_path / "photos" / label)
    (tmp_path / "photos" / "espresso" / "notes.jpg").write_text("no image")
    figures = tmp_path / "figures.json"
    done = live_cam("evaluate", tmp_path / "photos", *QUICK, "--json", figures)
    assert done.returncode == 1, done.stderr
    assert "notes.jpg is not a readable image" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Accuracy:   100.0 % (2 of 2)" in done.stdout
    assert "1 could not be measured" in done.stdout
    (gradcam,) = [line.split() for line in done.stdout.splitlines() if line[:8] == "gradcam "]
    (random,) = [line.split() for line in done.stdout.splitlines() if line[:7] == "random "]
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert {each["explained"]["label"] for each in written["evaluated"]} == {"espresso", "moped"}
    for row in (gradcam, random):
        means = written["methods"][row[0]]
        assert float(row[5]) == pytest.approx(means["deletion_area"], abs=0.001)
        assert float(row[6]) == pytest.approx(means["insertion_area"], abs=0.001)
    assert float(gradcam[6]) > float(random[6]), "Grad-CAM finds the cup and the moped"
    assert float(gradcam[5]) < float(random[5])


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nowhere"], ["there is no folder 'nowhere'"]),
        (["empty"], ["no image in the folder"]),
        (["photos", "--json", "taken.json"], ["taken.json", "--overwrite"]),
        (["photos", "--json", "nowhere/out.json"], ["there is no folder nowhere"]),
        (["photos", "--method", "magic"], ["'magic'", "gradcam"]),
        (["photos", "--steps", "0"], ["--steps", "from 1 to 1000"]),
        (["photos", "--truth", "taken.json"], ["taken.json does not list the classes"]),
        (["photos"], ["a class of the network", "'a cop'"]),
    ],
    ids=lambda value: " ".join(value) if value[0] in ("nowhere", "empty", "photos") else "",
)
def test_wrong_usage_gets_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos" / "a cop").mkdir(parents=True)
    (tmp_path / "photos" / "a cop" / "1.jpg").touch()
    (tmp_path / "taken.json").write_text("precious")
    done = called("evaluate", "--model", "efficientnet_lite0", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert (tmp_path / "taken.json").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_ctrl_c_prints_the_results_so_far(photo_folder: Path, tmp_path: Path) -> None:
    """The progress bar, shown only on a terminal, tells when to press it."""
    for number in range(20):
        shutil.copy(photo_folder / "coffee.png", tmp_path / f"{number}.png")
    ours, its = os.openpty()
    with subprocess.Popen(
        command("evaluate", tmp_path, *QUICK, "--json", tmp_path / "figures.json"),
        stdout=subprocess.PIPE,
        stderr=its,
        text=True,
        env=environment(),
    ) as process:
        os.close(its)
        shown = ""
        deadline = time.monotonic() + TIME_LIMIT
        while not re.search(r"\b[3-9]/40\b", shown):  # the second image has started
            assert time.monotonic() < deadline, shown
            shown += os.read(ours, 4096).decode()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=TIME_LIMIT)
    with contextlib.suppress(OSError):  # the other end is closed
        while more := os.read(ours, 4096).decode():
            shown += more
    os.close(ours)
    assert process.returncode == 0, shown
    assert "Traceback" not in shown
    assert "Stopped" in shown
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    count = written["pictures"]["evaluated"]
    assert 1 <= count < 20
    assert f"{count} of 20 in" in printed
    assert re.search(r"^gradcam +\d", printed, re.MULTILINE)
