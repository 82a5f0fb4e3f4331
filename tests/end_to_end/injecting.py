"""`live-cam` that knows the tiny network, with something injected: `injecting.py WHAT ARGUMENTS`.

Run as a program, in the place of `python -m live_cam`. WHAT is `nothing`, or a place at which it
hangs for long, as libraries, drivers and disks do: in a call that no stop reaches.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[2]))

HANGS = Path("hangs")
"""Made, in the folder in which it runs, when it begins to hang."""
SECONDS = 100


def hang(*_: Any, **__: Any) -> NoReturn:
    """Sleep in C, where no exception that is raised in this thread is noticed."""
    HANGS.touch()
    ctypes.CDLL(None).sleep(SECONDS)
    raise AssertionError("it was to end before")


def inject(what: str) -> None:
    """Let it hang at a place."""
    if what == "loading":
        from live_cam.explain import loading

        loading.load_network = hang
    elif what == "source":
        from live_cam.live import pipeline

        pipeline.open_source = hang  # type: ignore[attr-defined]
    elif what == "engine":
        from live_cam.engines import candidates

        candidates.Opening._open = hang  # type: ignore[method-assign]
    elif what == "explaining":
        from live_cam.engines.hook import HookEngine

        HookEngine.explain = hang  # type: ignore[method-assign]
        HookEngine.evidence = hang  # type: ignore[method-assign]
    elif what == "closing":
        from live_cam.explain.explainer import Explainer

        Explainer.close = hang  # type: ignore[method-assign]
    elif what == "converting":
        # The process that converts takes its time.
        waits = f"import pathlib, time; pathlib.Path({str(HANGS)!r}).touch(); time.sleep({SECONDS})"
        start = subprocess.Popen

        def slow(command: list[str], **options: Any) -> Any:
            return start([*command[:1], "-c", waits], **options)

        subprocess.Popen = slow  # type: ignore[assignment, misc]


if __name__ == "__main__":
    from live_cam.cli import main
    from tests.hostile import tiny

    what = sys.argv.pop(1)
    with tiny.registered():
        if what != "nothing":
            inject(what)
        main()
