"""The program on a tiny network, in processes that are interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import injecting, tiny
from tests.support.program import environment

NAMES = {"--model": tiny.NAME, "--weights": "tiny.pth"}
NETWORK = [word for pair in NAMES.items() for word in pair]
LIVE = ("run", "--headless", "--source", "demo", "--camera-size", "320x240", *NETWORK)

_started: list[subprocess.Popen[str]] = []


def start(folder: Path, program: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        program, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
    )
    _started.append(process)
    return process


def end_started() -> None:
    """End processes that a failed test would leave running during all later tests."""
    while _started:
        process = _started.pop()
        process.kill()
        process.communicate()


def injected(what: str, *arguments: str) -> list[str]:
    return [sys.executable, str(injecting.__file__), what, *arguments]
