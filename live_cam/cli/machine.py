"""The commands about this machine: `doctor` and `bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from live_cam.cli.options import option
from live_cam.cli.printing import notify, print_line
from live_cam.cli.types import Device, InputFile, WholeNumber, Word

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
def doctor() -> None:
    """List cameras, accelerators, engines, window system, encoders and cached weights."""
    from live_cam.cli.doctor import examine

    for line in examine():
        print_line(line)


@click.command()
@option("model", "--model", "-m", type=Word(), help="The network.")
@option("weights", "--weights", type=InputFile(), help="A state dict.")
@option("device", "--device", type=Device(), help="The network's device.")
@click.option(
    "--frames",
    type=WholeNumber(min=1, max=100_000),
    default=10,
    show_default=True,
    help="Frames per engine.",
)
@click.option(
    "--int8/--no-int8",
    default=True,
    show_default=True,
    help="Whether to measure int8; quantising the network takes minutes, once.",
)
def bench(model: str, weights: Path | None, device: str, frames: int, int8: bool) -> None:
    """Find the fastest engine on this machine, and its explanations per second."""
    from live_cam.bench.short import bench as measure

    print_line(
        measure(model, weights=weights, device=device, frames=frames, int8=int8, notify=notify)
    )
