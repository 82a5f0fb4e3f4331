"""The live commands: `run` and `demo`."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from live_cam.cli.options import SOURCE, settings_options
from live_cam.cli.printing import say
from live_cam.errors import UsageError
from live_cam.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from live_cam.pipeline import LivePipeline

_DEMO_SECONDS = 20.0
_DEMO_FILE = Path("demo.mp4")
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@click.command()
@SOURCE
@settings_options
def run(**options: Any) -> None:
    """Explain what a camera, a video, a stream or pictures show."""
    _run(Settings(**options))


@click.command()
@settings_options
def demo(**options: Any) -> None:
    """Show the built-in scene: no camera needed, and no download either.

    Where VGG-19's weights are neither cached nor reachable, efficientnet_lite0 steps in. Without
    a display the demo is recorded to a file instead.
    """
    from live_cam.window import display_problem

    options |= {"source": "demo", "fallback": True}
    problem = None if options["headless"] else display_problem()
    if problem:
        from live_cam.outputs import free_path

        options["headless"] = True
        options["record"] = options["record"] or free_path(_DEMO_FILE)
        options["seconds"] = options["seconds"] or _DEMO_SECONDS
        say(f"No window ({problem}): recording the demo to {options['record'].resolve()}.")
    _run(Settings(**options))


def _run(chosen: Settings) -> None:
    if chosen.every_frame and chosen.source.isdecimal():
        raise UsageError(
            f"--every-frame does not go with camera {chosen.source}, which never waits; "
            "use it with a video file or pictures, or leave it out."
        )
    for written in (chosen.record, chosen.predictions):
        if written and written.exists() and Path(chosen.source).resolve() == written.resolve():
            raise UsageError(
                f"{written} is the source itself and would be lost; write to another file."
            )
    from live_cam.pipeline import LivePipeline

    pipeline = LivePipeline(chosen, say)
    with _stopped_by_signals(pipeline):
        pipeline.run()


@contextmanager
def _stopped_by_signals(pipeline: LivePipeline) -> Iterator[None]:
    """End the loop in good order on the first Ctrl-C or SIGTERM, and at once on the second."""
    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        pipeline.stop()

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
