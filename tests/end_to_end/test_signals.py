"""Signals at awkward moments: during an import, inside C++, in a thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from live_cam.cli.signals import interrupt, stopped_by_signals
from tests.support.program import TIME_LIMIT, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
ROOT = Path(__file__).resolve().parents[2]

_PROGRAM = """
import os, signal, threading, time
import live_cam.cli

def command(**_):
    {body}

live_cam.cli.cli.main = command
live_cam.cli.main()
"""


def ended(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end with a command that has this body."""
    program = _PROGRAM.format(body=body.strip().replace("\n", "\n    "))
    (folder / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, "-m", "program"],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
        cwd=folder,
        env=environment(PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)])),
    )


def test_a_signal_that_becomes_an_import_error_still_shuts_down_cleanly(
    tmp_path: Path,
) -> None:
    done = ended(
        tmp_path,
        """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except KeyboardInterrupt:
    raise ImportError("cannot initialise module strings")
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_signal_in_python_code_run_from_c_still_shuts_down_cleanly(
    tmp_path: Path,
) -> None:
    # Like numpy and pybind11 run code: CPython then plans to end itself by SIGINT.
    done = ended(
        tmp_path,
        """
import ctypes
run = ctypes.pythonapi.PyRun_String
run.restype = ctypes.py_object
run.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.py_object, ctypes.py_object]
code = b"import os, signal, time; os.kill(os.getpid(), signal.SIGHUP); time.sleep(60)"
run(code, 257, {}, {})
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thread_inside_cpp_does_not_abort_the_shutdown(tmp_path: Path) -> None:
    done = ended(
        tmp_path,
        """
import numpy as np
from live_cam.runtime.opencv import cv2
image = np.zeros((2000, 2000, 3), np.uint8)
def work():
    while True:
        cv2.imencode(".png", image)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
print("recorded", flush=False)
""",
    )
    assert (done.returncode, done.stdout) == (0, "recorded\n")


def test_a_signal_swallowed_by_an_import_stops_the_next_block() -> None:
    stopped: list[str] = []
    with stopped_by_signals(interrupt) as outer:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert outer.is_set()
        with stopped_by_signals(lambda: stopped.append("inner")) as inner:
            assert stopped == ["inner"]
            assert not inner.is_set()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL, (
                "a second signal ends the process"
            )


def test_consecutive_blocks_are_independent() -> None:
    stopped: list[str] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with stopped_by_signals(lambda: stopped.append("stopped")) as come:
            assert not come.is_set()
            os.kill(os.getpid(), number)
            assert come.is_set()
        # Restore pytest's handlers, which the first signal replaced.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert stopped == ["stopped", "stopped"]
