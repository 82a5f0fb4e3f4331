"""Runs the live loop for long, injects faults, and reports leaks and slow recovery.

A synthetic camera sends images at full rate to the live loop, which explains them with a tiny
network, shows them in a window if there is a display, records them and logs them. Meanwhile,
drawn from a seed: the camera is unplugged, freezes, turns black, sends damaged images or another
size; the network's logits are not finite; the process is stopped. With a window, also: there is
too little memory for the network, the disk is full, the working folder disappears, and all keys
except those that quit are pressed.

The exit code is 1 if memory, threads or open files have grown, an explanation was too old, the
program did not recover, or a recording is missing. Linux only.

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
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from soaking.camera import SyntheticCamera
from soaking.faults import Faults, Keys
from soaking.network import NAME, NetworkFaults, save_weights
from soaking.outcome import Outcome, Returns
from soaking.vitals import VitalsWatch, more_threads, settled_threads, trends
from soaking.witness import Witness

from live_cam.errors import LiveCamError
from live_cam.live.pipeline import LivePipeline
from live_cam.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DISK_MB: Final = 48
_SAMPLES: Final = 600
_LEAST_INTERVAL: Final = 0.5
"""The shortest interval between two samples of the process, in seconds."""
_SHARE: Final = 0.999
"""The quantile of the age of explanations that is judged."""


@click.command(help=__doc__)
@click.option("--seed", default=1, show_default=True, help="The seed of faults and keys.")
@click.option("--hours", type=float, help="Stop after this many hours.")
@click.option("--seconds", type=float, help="Stop after this many seconds.")
@click.option("--frames", type=int, help="Stop after this many images.")
@click.option("--rate", default=60.0, show_default=True, help="The camera's images per second.")
@click.option("--size", default="320x240", show_default=True, help="The size of the images.")
@click.option("--pause", default=4.0, show_default=True, help="Mean seconds between two faults.")
@click.option("--keys", default=2.0, show_default=True, help="Keys per second, with a window.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the results as JSON.")
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
    """Run the soak test."""
    seconds = seconds or (hours * 3600 if hours else None)
    if seconds is None and frames is None:
        raise click.UsageError("give a duration: --hours, --seconds or --frames.")
    width, height = (int(side) for side in size.split("x"))
    limits = Settings(
        model=NAME,
        engine="hook",
        headless=not os.environ.get("DISPLAY"),
        seconds=seconds,
        max_frames=frames,
    )
    interval = max((seconds or (frames or 0) / rate) / _SAMPLES, _LEAST_INTERVAL)
    camera = partial(SyntheticCamera, (width, height), rate, seed, reconnect=3600)
    outcome = run_with_faults(limits, camera, seed, interval=interval, pause=pause, keys=keys)
    if report:
        report.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
    problems = outcome.judged()
    click.echo("\n".join([*outcome.lines(), *(f"PROBLEM: {problem}" for problem in problems)]))
    sys.exit(1 if problems else 0)


def run_with_faults(
    settings: Settings,
    open_camera: Callable[[], SyntheticCamera],
    seed: int,
    *,
    interval: float,
    pause: float,
    keys: float,
) -> Outcome:
    """Run the live loop in a temporary folder while faults are injected.

    Args:
        settings: The limits of the run, and whether there is a window.
        open_camera: Opens the camera.
        seed: The seed of weights, faults and keys.
        interval: Seconds between two samples of the process.
        pause: Mean seconds between two faults.
        keys: Mean keys per second, with a window.
    """
    watched = not settings.headless
    witness, network = Witness(), NetworkFaults()
    logging.getLogger("live_cam").addHandler(_WitnessHandler(witness))
    with ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        resources.callback(os.chdir, Path.cwd())
        disk = resources.enter_context(_small_disk(folder / "disk")) if watched else None
        os.chdir(disk or folder)
        weights, log = folder / "weights.pth", folder / "log.jsonl"
        save_weights(weights, seed)
        resources.enter_context(network.registered())
        camera = open_camera()
        complete = replace(settings, weights=weights, predictions=log)
        pipeline = LivePipeline(complete, witness.notify, open_source=lambda: camera)
        pipeline.observer = witness
        began = time.monotonic()
        vitals = VitalsWatch(interval)
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
        elapsed = time.monotonic() - began
        threads = settled_threads()
        lines = _lines(log)
    if lines != witness.explanations:
        witness.lost.append(f"the log has {lines} of {witness.explanations} explanations")
    return Outcome(
        seconds=elapsed,
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
        more_threads=more_threads(vitals.samples, threads),
        problems=[*witness.lost, *(f"{kind}: no recovery" for kind in faults.overdue)],
    )


def _lines(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as log:
        return sum(1 for _ in log)


class _WitnessHandler(logging.Handler):
    """Forwards the program's warnings to the witness."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        self._witness.notify(record.getMessage())


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """Yield a folder on a small file system of its own, which only root can mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.call(mount):
        raise click.ClickException(
            "cannot mount a small file system to fill; run as root, or without DISPLAY."
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
