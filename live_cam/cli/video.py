"""The command `video`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from live_cam.cli.options import (
    EXPLANATION,
    MOVING,
    NETWORK,
    option,
    options,
)
from live_cam.cli.printing import notify
from live_cam.cli.progress import Progress
from live_cam.cli.signals import interrupt, stopped_by_signals
from live_cam.cli.types import InputFile, Moment, Number, OutputPath, whole_number
from live_cam.errors import RecordingError
from live_cam.settings import BATCH, SMOOTHING, TIMED_ENDINGS, VideoSettings
from live_cam.video.conflicts import check_video

if TYPE_CHECKING:
    from fractions import Fraction

_option = partial(option, of=VideoSettings)

_STEPS_PER_SECOND: Final = 1000


_VIDEO = (
    _option(
        "start",
        "--start",
        type=Moment(),
        help="Leave out frames before this time: seconds, or [HH:]MM:SS.",
    ),
    _option("end", "--end", type=Moment(), help="Leave out frames from this time on."),
    _option("audio", "--audio/--no-audio", help="Whether to copy the sound."),
    _option(
        "smooth",
        "--smooth",
        type=Number(*SMOOTHING),
        metavar="SECONDS",
        help="How long heatmap and label take to follow small changes.  "
        "[default: 0, for no smoothing]",
    ),
    _option(
        "batch",
        "--batch",
        metavar="N",
        type=whole_number(BATCH),
        help="Frames per batch.  [default: by the device and its memory]",
    ),
)


@click.command()
@click.argument("input", type=InputFile())
@click.argument("output", type=OutputPath(TIMED_ENDINGS))
@options(_VIDEO, EXPLANATION, MOVING, NETWORK)
def video(**chosen: Any) -> None:
    """Explain every frame of the video INPUT and write the result to the video OUTPUT.

    Frames keep their times, and the sound is copied. OUTPUT ends in .mp4, .mov or .mkv; it stays
    playable if the program is interrupted.
    """
    settings = VideoSettings(**chosen)
    check_video(settings)
    from live_cam.video.pipeline import VideoPipeline

    with _VideoProgress() as progress, stopped_by_signals(interrupt):
        pipeline = VideoPipeline(settings, progress)
        try:
            pipeline.run()
        except KeyboardInterrupt:
            progress.notify("Stopped before the end.")
        except RecordingError:  # its message tells how much is playable
            pipeline.written = 0
            raise
        finally:
            progress.close()
            if pipeline.written:
                notify(
                    f"{settings.output}: {pipeline.written} frames, {pipeline.seconds:.1f} s; "
                    f"explained {progress.rate:.1f} frames per second."
                )


class _VideoProgress(Progress):
    """Shows the position in the video, and the speed."""

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
