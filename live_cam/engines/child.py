"""Child processes for this package's own modules; they end with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from live_cam.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

_POLL = 0.1
_NICENESS = 5


def run_child(
    module: str, arguments: list[str], log: Path, stop: threading.Event | None = None
) -> None:
    """Run `python -m MODULE ARGUMENTS` and wait for it.

    Args:
        module: A module that calls `end_with_parent` first.
        arguments: Its command-line arguments.
        log: Receives its output.
        stop: Kills the process when set.

    Raises:
        EngineError: The process failed, with the last line of its output, or was stopped.
        OSError: The process could not be started.
    """
    # The child must import what this process can: networks arrive as pickles of their classes.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            while process.poll() is None:
                if stop is not None and stop.wait(_POLL):
                    raise EngineError("the process was stopped.")
                if stop is None:
                    process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
    if process.returncode != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise EngineError("".join(last) or f"the process ended with {process.returncode}")


def end_with_parent() -> None:
    """Lower this process's priority, and end it as soon as its parent is gone.

    However the parent ends, even by `kill -9`, the system closes its end of the pipe.
    """
    if hasattr(os, "setpriority"):
        niceness = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, 0, niceness)

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
