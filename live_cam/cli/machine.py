"""The commands about this machine: `doctor` and `bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from live_cam.cli.options import option
from live_cam.cli.printing import notify, tell
from live_cam.cli.types import Device, InputFile, WholeNumber, Word

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
def doctor() -> None:
    """Say what is here: cameras, accelerators, window system, encoders, cached weights."""
    from live_cam.cli.doctor import examine

    for line in examine():
        tell(line)


@click.command()
@option("model", "--model", "-m", type=Word(), help="The network.")
@option("weights", "--weights", type=InputFile(), help="A state dict for it.")
@option("device", "--device", type=Device(), help="Where it runs.")
@click.option(
    "--frames",
    type=WholeNumber(min=1, max=100_000),
    default=10,
    show_default=True,
    help="How many to time.",
)
@click.option(
    "--int8/--no-int8",
    default=True,
    show_default=True,
    help="Whether to measure int8, for which the network is quantised once, in minutes.",
)
def bench(model: str, weights: Path | None, device: str, frames: int, int8: bool) -> None:
    """Say which engine is fastest here, and how many explanations per second to expect."""
    from live_cam.bench.short import bench as measure

    tell(measure(model, weights=weights, device=device, frames=frames, int8=int8, notify=notify))
