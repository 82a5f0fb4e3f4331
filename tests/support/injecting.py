"""`live-cam` with the tiny network and an injected fault: `injecting.py FAULT ARGUMENTS`.

Runs as a program, in place of `python -m live_cam`. FAULT is `nothing`, or a place where it hangs
for a long time like libraries, drivers and disks do: in an uninterruptible call.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

HANGS = Path("hangs")
"""Created in the working directory when it starts to hang."""
SECONDS = 100


def hang(*_: Any, **__: Any) -> NoReturn:
    """Sleep in C, where no exception raised in this thread takes effect."""
    HANGS.touch()
    ctypes.CDLL(None).sleep(SECONDS)
    raise AssertionError("the program should have ended before")


def inject(fault: str) -> None:
    """Make the program hang at one place."""
    if fault == "loading":
        from live_cam.explain import loading

        loading.load_network = hang
    elif fault == "source":
        from live_cam.live import pipeline

        pipeline.open_source = hang  # type: ignore[attr-defined]
    elif fault == "engine":
        from live_cam.engines import candidates

        candidates.CandidateOpener._open = hang  # type: ignore[method-assign]
    elif fault == "explaining":
        from live_cam.engines.hook import HookEngine

        HookEngine.explain = hang  # type: ignore[method-assign]
        HookEngine.evidence = hang  # type: ignore[method-assign]
    elif fault == "closing":
        from live_cam.explain.explainer import Explainer

        Explainer.close = hang  # type: ignore[method-assign]
    elif fault == "converting":
        # The process that converts never finishes in time.
        waits = f"import pathlib, time; pathlib.Path({str(HANGS)!r}).touch(); time.sleep({SECONDS})"
        start = subprocess.Popen

        def slow(command: list[str], **options: Any) -> Any:
            return start([*command[:1], "-c", waits], **options)

        subprocess.Popen = slow  # type: ignore[assignment, misc]


if __name__ == "__main__":
    from live_cam.cli import main
    from tests.support import tiny

    fault = sys.argv.pop(1)
    with tiny.registered():
        if fault != "nothing":
            inject(fault)
        main()
