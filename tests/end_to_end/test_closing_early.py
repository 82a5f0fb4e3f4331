"""Closing the window before the first explanation ends the program without delay."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support import injecting, tiny
from tests.support.display import ask_to_close, virtual_display
from tests.support.networks import randomised
from tests.support.program import TIME_LIMIT, environment
from tests.support.session import needs_a_desktop

pytestmark = needs_a_desktop
PATIENCE = 25.0
"""Seconds on a busy machine. An idle one needs less than two; the injected call hangs for 100."""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save(randomised(tiny.tiny()).state_dict(), path)
    return path


def children(process: int) -> set[int]:
    """The living child processes of a process and their own children."""
    found: set[int] = set()
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | children(child)
    return found


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("source", ()),
        ("loading", ("--engine", "hook")),
        ("engine", ("--engine", "torch")),
        ("explaining", ("--engine", "hook")),
        ("converting", ("--engine", "openvino")),
        ("converting", ("--engine", "openvino", "--precision", "int8")),
    ],
)
def test_closing_the_window_while_something_hangs_ends_the_program(
    tmp_path: Path, display: str, weights: Path, what: str, arguments: tuple[str, ...]
) -> None:
    source = ("--source", "demo", "--camera-size", "320x240", "--record", "out.mp4")
    network = ("--model", tiny.NAME, "--weights", str(weights))
    variables = environment(DISPLAY=display, TORCH_HOME=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, injecting.__file__, what, "run", *source, *network, *arguments],
        cwd=tmp_path,
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        limit = time.monotonic() + TIME_LIMIT
        while not (tmp_path / injecting.HANGS).exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.02)
        started = children(process.pid)
        assert bool(started) == (what == "converting")
        search = ["xdotool", "search", "--name", "^live-cam$"]
        window = subprocess.check_output(search, env=variables, text=True).split()[-1]
        ask_to_close(display, window)
        began = time.monotonic()
        _, errors = process.communicate(timeout=TIME_LIMIT)
        took = time.monotonic() - began
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert took < PATIENCE, errors
    assert not [each for each in started if is_alive(each)], "no process is left behind"
