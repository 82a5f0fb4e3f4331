"""Settings that each are right and do not go together: known before anything is loaded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from live_cam.errors import UsageError
from live_cam.record.destinations import check_output
from live_cam.settings import OPENVINO_ONLY

if TYPE_CHECKING:
    from live_cam.settings import Settings, VideoSettings


def check_live(chosen: Settings) -> None:
    """Check what a run of the live loop was asked to do.

    Raises:
        UsageError: Some of it does not go together, or a file would be lost.
    """
    if chosen.every_frame and chosen.source.isdecimal():
        raise UsageError(
            f"--every-frame does not go with camera {chosen.source}, which never waits; "
            "use it with a video file or pictures, or leave it out."
        )
    check_engine(chosen)
    if chosen.full_screen and chosen.headless:
        raise UsageError(
            "--full-screen does not go with --headless, which is without a window; leave one out."
        )
    if chosen.record and chosen.predictions and _same(chosen.record, chosen.predictions):
        raise UsageError(
            f"--record and --predictions both name {chosen.record}; give each a file of its own."
        )
    for written in filter(None, (chosen.record, chosen.predictions)):
        if written.exists() and _same(Path(chosen.source), written):
            raise UsageError(
                f"{written} is the source itself and would be lost; write to another file."
            )
        check_output(written, overwrite=chosen.overwrite)


def check_engine(chosen: Settings) -> None:
    """Check what is to compute.

    Raises:
        UsageError: The engine has no such precision, or is not on such a device.
    """
    for option, value in (("precision", chosen.precision), ("device", chosen.device)):
        if value in OPENVINO_ONLY and chosen.engine in ("hook", "torch"):
            raise UsageError(
                f"--{option} {value} is computed by OpenVINO alone, not by the engine "
                f"{chosen.engine}; use --engine openvino, or leave --{option} out."
            )


def check_video(chosen: VideoSettings) -> None:
    """Check what is asked of a video file.

    Raises:
        UsageError: Some of it does not go together, or a file would be lost.
    """
    if chosen.output.exists() and chosen.output.samefile(chosen.input):
        raise UsageError(
            f"{chosen.output} is the video itself and would be lost; write to another file."
        )
    start, end = chosen.start or Fraction(0), chosen.end
    if end is not None and end <= start:
        raise UsageError(
            f"--end {float(end):g} does not lie after --start {float(start):g}; give a later one."
        )
    check_output(chosen.output, overwrite=chosen.overwrite)


def _same(path: Path, other: Path) -> bool:
    try:
        return path.expanduser().resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # a name that nothing can have
        return False
