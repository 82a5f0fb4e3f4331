"""Runs the whole program for long, breaks something again and again, and says what grows.

A made-up camera sends images at full rate to the live loop, which explains them by a tiny
network, shows them in a window where there is a display, records them and logs them. Meanwhile,
drawn from a seed: the camera is unplugged, freezes, turns black, sends damaged images or another
size; the network's scores are not finite; the process is stopped. With a window, also: there is no
memory for the network, the disk is full, the folder is gone, and every key but those that quit is
pressed.

It ends with exit code 1 where memory, threads or open files have grown, an explanation was too old,
something did not come back, or something that was said to be recorded is not there. Linux only.

    python scripts/soak.py --hours 3
    python scripts/soak.py --frames 1000000 --rate 400 --size 160x120
    xvfb-run python scripts/soak.py --seconds 120 --seed 7
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from soaking.camera import SyntheticCamera
from soaking.faults import Faults, Keys
from soaking.network import NAME, NetworkFaults, save_weights
from soaking.outcome import Outcome, Returns
from soaking.vitals import VitalsWatch, trends
from soaking.witness import Witness

from live_cam.errors import LiveCamError
from live_cam.live.pipeline import LivePipeline
from live_cam.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISK_MB: Final = 48
_SAMPLES: Final = 600
_LEAST_INTERVAL: Final = 0.5
"""Seconds between two looks at memory and the like."""
_SHARE: Final = 0.999
"""Of the images, whose explanations' age is judged."""


@click.command(help=__doc__)
@click.option("--seed", default=1, show_default=True, help="What happens when is drawn from it.")
@click.option("--hours", type=float, help="How long.")
@click.option("--seconds", type=float, help="How long, for the impatient.")
@click.option("--frames", type=int, help="How many images to show.")
@click.option("--rate", default=60.0, show_default=True, help="The camera's images per second.")
@click.option("--size", default="320x240", show_default=True, help="The camera's images.")
@click.option("--pause", default=4.0, show_default=True, help="Mean seconds between two faults.")
@click.option("--keys", default=2.0, show_default=True, help="Keys per second, with a window.")
@click.option("--report", type=click.Path(path_type=Path), help="A JSON file for all figures.")
def soak(
    seed: int,
    hours: float | None,
    seconds: float | None,
    frames: int | None,
    rate: float,
    size: str,
    pause: float,
    keys: float,
    report: Path | None,
) -> None:
    """Run it."""
    seconds = seconds or (hours * 3600 if hours else None)
    if seconds is None and frames is None:
        raise click.UsageError("say how long: --hours, --seconds or --frames.")
    expected = seconds or (frames or 0) / rate
    width, height = (int(side) for side in size.split("x"))
    watched = bool(os.environ.get("DISPLAY"))
    witness = Witness()
    network = NetworkFaults()
    logging.getLogger("live_cam").addHandler(_Listening(witness))
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        resources.callback(os.chdir, Path.cwd())
        disk = resources.enter_context(_small_disk(folder / "disk")) if watched else None
        os.chdir(disk or folder)
        save_weights(folder / "weights.pth", seed)
        resources.enter_context(network.registered())
        settings = Settings(
            model=NAME,
            weights=folder / "weights.pth",
            engine="hook",
            headless=not watched,
            predictions=folder / "log.jsonl",
            seconds=seconds,
            max_frames=frames,
        )
        camera = SyntheticCamera((width, height), rate, seed, reconnect=3600)
        pipeline = LivePipeline(settings, witness.notify, open_source=lambda: camera)
        pipeline.observer = witness
        began = time.monotonic()
        vitals = VitalsWatch(max(expected / _SAMPLES, _LEAST_INTERVAL))
        faults = Faults(seed, pause, camera, network, disk, witness)
        fingers = Keys(seed, keys, pipeline) if watched else None
        try:
            pipeline.run()
        except LiveCamError as error:
            witness.lost.append(f"the run ended: {error}")
        finally:
            vitals.close()
            faults.close()
            if fingers:
                fingers.close()
            witness.close()
        took = time.monotonic() - began
        lines = _lines(folder / "log.jsonl")
    if lines != witness.explanations:
        witness.lost.append(f"the log has {lines} of {witness.explanations} explanations")
    outcome = Outcome(
        seconds=took,
        taken=camera.taken,
        shown=witness.images,
        explained=witness.explanations,
        keys=fingers.pressed if fingers else 0,
        recordings=witness.recordings,
        recorded=witness.recorded,
        usual_age=witness.age(0.5),
        oldest=witness.age(_SHARE),
        returns={kind: Returns.of(waits) for kind, waits in sorted(faults.returns.items())},
        trends=trends(vitals.samples),
        problems=[*witness.lost, *(f"{kind}: no way back" for kind in faults.overdue)],
    )
    if report:
        report.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    problems = outcome.judged()
    click.echo("\n".join([*outcome.lines(), *(f"PROBLEM: {each}" for each in problems)]))
    sys.exit(1 if problems else 0)


def _lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as log:
        return sum(1 for _ in log)


class _Listening(logging.Handler):
    """Lets the witness hear what the program's modules warn of."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        self._witness.notify(record.getMessage())


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Yield a folder on a file system of its own, which is soon full; without root, on any."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.call(mount):
        raise click.ClickException(
            "no small file system can be mounted, to be filled: run as root, or without DISPLAY."
        )
    inside = folder / "run"
    inside.mkdir()
    try:
        yield inside
    finally:
        os.chdir(folder.parent)
        subprocess.run(["umount", "-l", str(folder)], check=False)


if __name__ == "__main__":
    soak()
