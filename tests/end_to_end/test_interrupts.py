"""Ctrl-C and other signals, once or twice, at every stage of every command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from live_cam.runtime.opencv import cv2
from tests.support import injecting, tiny
from tests.support.clips import write_clip
from tests.support.networks import randomised
from tests.support.program import TIME_LIMIT, command, read_log, read_what_plays
from tests.support.tiny_program import LIVE, NETWORK, end_started, injected, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FILES = ("--record", "out.mp4", "--predictions", "p.jsonl", "--engine", "hook")
COMMANDS = {
    "run": (*LIVE, *FILES),
    "image": ("image", "pictures", "--output", "out", *NETWORK),
    "video": ("video", "clip.mkv", "out.mkv", *NETWORK),
    "evaluate": ("evaluate", "pictures", "--json", "all.json", "--steps", "100", *NETWORK),
    "bench": ("bench", "--no-int8", *NETWORK),
    "doctor": ("doctor",),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(randomised(tiny.tiny()).state_dict(), tmp_path / "tiny.pth")
    (tmp_path / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    for number in range(300):
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), np.roll(noise, number, 1))
    write_clip(tmp_path / "clip.mkv", [np.roll(noise, n, 1) for n in range(200)])
    return tmp_path


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    end_started()


def handles_sigterm(process: subprocess.Popen[str]) -> bool:
    """Whether a process has installed a handler for SIGTERM."""
    assert process.poll() is None, process.communicate()
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (caught,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def wait(process: subprocess.Popen[str], path: Path, size: int = 0) -> None:
    limit = time.monotonic() + TIME_LIMIT
    while not path.exists() or path.stat().st_size < size:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.4), (signal.SIGHUP, 1.5)],
)
def test_a_signal_during_the_start_ends_every_command(
    folder: Path, number: signal.Signals, delay: float
) -> None:
    """All commands at once, so that the signal meets many different imports and loads."""
    processes = {
        name: start(folder, command(*with_a_known_network(words)))
        for name, words in COMMANDS.items()
    }
    for process in processes.values():
        while not handles_sigterm(process):
            time.sleep(0.01)
    time.sleep(delay)
    for process in processes.values():
        process.send_signal(number)
    for name, process in processes.items():
        _, errors = process.communicate(timeout=TIME_LIMIT)
        assert process.returncode == 0, (name, errors)
        assert "Traceback" not in errors, (name, errors)
        assert "Exception ignored" not in errors, (name, errors)


def with_a_known_network(words: tuple[str, ...]) -> list[str]:
    """The command with a network that the real program knows."""
    kept = [word for word in words if word not in NETWORK]
    return kept if "doctor" in words else [*kept, "--model", "efficientnet_lite0"]


@pytest.mark.parametrize(
    ("numbers", "pause"),
    [
        ((signal.SIGINT, signal.SIGINT), 0.05),
        ((signal.SIGTERM, signal.SIGINT), 0.0),
        ((signal.SIGINT, signal.SIGTERM), 0.0),
        ((signal.SIGHUP, signal.SIGHUP), 0.0),
    ],
)
def test_two_signals_during_a_run(
    folder: Path, numbers: tuple[signal.Signals, ...], pause: float
) -> None:
    process = start(folder, injected("nothing", *COMMANDS["run"]))
    wait(process, folder / "p.jsonl", 5000)
    wait(process, folder / "out.mp4", 5000)
    for number in numbers:
        process.send_signal(number)
        time.sleep(pause)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    by_signal = -numbers[-1] if numbers[-1] != signal.SIGHUP else 0
    assert process.returncode in (0, by_signal), errors
    assert "Traceback" not in errors
    assert len(read_what_plays(folder / "out.mp4")) > 1
    assert read_log(folder / "p.jsonl")


@pytest.mark.parametrize("name", ["image", "video", "evaluate"])
def test_two_signals_during_other_commands(folder: Path, name: str) -> None:
    written = {"image": "out/0.cam.jpg", "video": "out.mkv", "evaluate": None}[name]
    process = start(folder, injected("nothing", *COMMANDS[name]))
    if written:
        wait(process, folder / written, 1000)
    else:
        while not handles_sigterm(process):
            time.sleep(0.01)
        time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode in (0, -signal.SIGINT), errors
    assert "Traceback" not in errors
    for path in (folder / "out").glob("*.jpg"):
        assert cv2.imread(str(path)) is not None, "no image is half written"
    if name == "video":
        assert read_what_plays(folder / "out.mkv")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_program_while_closing_hangs(
    folder: Path, first: signal.Signals
) -> None:
    process = start(folder, injected("closing", *COMMANDS["run"]))
    wait(process, folder / "out.mp4", 5000)
    time.sleep(1.5)  # everything on the disk by then is kept
    process.send_signal(first)
    wait(process, folder / injecting.HANGS)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=injecting.SECONDS // 2)
    assert process.returncode == -signal.SIGINT, errors
    assert "Traceback" not in errors
    assert read_what_plays(folder / "out.mp4")[-1][0] > 1.0
    assert read_log(folder / "p.jsonl")
