"""The command about a video in a file: `video`."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from live_cam import settings
from live_cam.cli.options import (
    EXPLANATION,
    FILE,
    MOVING,
    NETWORK,
    Number,
    option,
    options,
    whole_number,
)
from live_cam.cli.printing import say
from live_cam.cli.progress import Progress
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.errors import RecordingError
from live_cam.settings import VideoSettings

_option = partial(option, of=VideoSettings)

_CLOCK: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")
_STEPS_PER_SECOND: Final = 1000


class _Moment(click.ParamType[Fraction]):
    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        if isinstance(value, Fraction):
            return value
        said = _CLOCK.fullmatch(str(value))
        if said is None:
            self.fail(
                f"{value!r} is no time; give seconds, such as 90.5, or [HH:]MM:SS, such as 1:30.5.",
                param,
                ctx,
            )
        hours, minutes, seconds = (Fraction(part or 0) for part in said.groups())
        return 3600 * hours + 60 * minutes + seconds


_VIDEO = (
    _option(
        "start",
        "--start",
        type=_Moment(),
        help="Leave out what is shown earlier: seconds, or [HH:]MM:SS.",
    ),
    _option("end", "--end", type=_Moment(), help="Leave out what is shown then or later."),
    _option("audio", "--audio/--no-audio", help="Whether the sound is copied."),
    _option(
        "smooth",
        "--smooth",
        type=Number(*settings.SMOOTHING),
        metavar="SECONDS",
        help="How long the heatmap and the label take to follow small changes.  "
        "[default: 0, no smoothing: each frame for itself]",
    ),
    _option(
        "batch",
        "--batch",
        metavar="N",
        type=whole_number(settings.BATCH),
        help="How many frames to explain at once.  [default: by the device and its memory]",
    ),
)


@click.command()
@click.argument("input", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("output", type=FILE)
@options(_VIDEO, EXPLANATION, MOVING, NETWORK)
def video(**chosen: Any) -> None:
    """Explain every frame of the video INPUT, and write them as the video OUTPUT.

    Each frame keeps its time, and the sound is copied as it is. OUTPUT ends in .mp4, .mov or .mkv;
    what was written of it plays, whatever ends the program.
    """
    from live_cam.transcode import TranscodePipeline

    with _Progress() as progress, stopped_by_signals(interrupt):
        pipeline = TranscodePipeline(VideoSettings(**chosen), progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            progress.say("Stopped before the end.")
        except RecordingError:  # its sentence says how much plays
            pipeline.written = 0
            raise
        finally:
            progress.close()
            if pipeline.written:
                say(
                    f"{chosen['output']}: {pipeline.written} frames, {pipeline.seconds:.1f} s; "
                    f"explained {progress.rate:.1f} frames per second."
                )


class _Progress(Progress):
    """Tells how far it is by the video's time, and how fast it goes."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._done = 0
        self.rate = 0.0

    def begin(self, seconds: Fraction | None) -> None:
        self._began = time.monotonic()
        self.show(None if seconds is None else int(seconds * _STEPS_PER_SECOND), noted=True)

    def advance(self, frames: int, seconds: Fraction) -> None:
        done = int(seconds * _STEPS_PER_SECOND)
        self.rate = frames / max(time.monotonic() - self._began, 1e-9)
        self.step(done - self._done, f"{frames} frames, {self.rate:.1f} per second")
        self._done = done
