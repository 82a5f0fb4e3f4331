"""Two minutes of `scripts/soak.py`: the whole program while everything around it breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.display import virtual_display
from tests.support.program import environment

ROOT = Path(__file__).parents[2]
SECONDS = 120
SEED = 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_minutes_of_faults_leave_no_problem(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ["--seconds", str(SECONDS), "--seed", str(SEED), "--pause", "1.5"]
    command = [sys.executable, str(ROOT / "scripts" / "soak.py"), *options, "--report", str(report)]
    if os.geteuid():
        outcome = run(command, environment())
    else:  # only root can mount a disk to fill
        with virtual_display() as display:
            outcome = run(command, environment(DISPLAY=display))

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    figures = json.loads(report.read_text())
    assert figures["problems"] == []
    assert figures["explained"] > 100
    assert len(figures["returns"]) >= 5, "too few faults were injected"


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    variables.setdefault("OMP_NUM_THREADS", "1")
    return subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS + 180
    )
