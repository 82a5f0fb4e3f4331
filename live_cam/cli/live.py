"""The live commands: `run` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from live_cam.cli.options import EXPLANATION, LIVE, MOVING, NETWORK, SOURCE, options
from live_cam.cli.printing import notify
from live_cam.cli.signals import stopped_by_signals
from live_cam.live.conflicts import check_live
from live_cam.settings import Settings

_DEMO_SECONDS = 20.0
_DEMO_FILE = Path("demo.mp4")


@click.command()
@options(SOURCE, NETWORK, EXPLANATION, MOVING, LIVE)
def run(**chosen: Any) -> None:
    """Explain a camera, a video, a stream or images, live."""
    _run(Settings(**chosen))


@click.command()
@options(NETWORK, EXPLANATION, MOVING, LIVE)
def demo(**chosen: Any) -> None:
    """Explain a built-in scene, without a camera or a download.

    If VGG-19's weights are neither cached nor reachable, it falls back to efficientnet_lite0.
    Without a display, the demo is recorded to a file instead.
    """
    from live_cam.live.window import display_problem

    chosen |= {"source": "demo", "fallback": True}
    problem = None if chosen["headless"] else display_problem()
    if problem:
        from live_cam.record.destinations import free_path

        chosen["headless"] = True
        chosen["record"] = chosen["record"] or free_path(_DEMO_FILE)
        chosen["seconds"] = chosen["seconds"] or _DEMO_SECONDS
        notify(f"No window ({problem}): recording the demo to {chosen['record'].resolve()}.")
    _run(Settings(**chosen))


def _run(chosen: Settings) -> None:
    check_live(chosen)
    from live_cam.capture import check_source

    check_source(chosen.source)
    from live_cam.live.pipeline import LivePipeline

    pipeline = LivePipeline(chosen, notify)
    with stopped_by_signals(pipeline.stop):
        pipeline.run()
