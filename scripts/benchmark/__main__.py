"""Measures every engine against the machine's limits and its peers, and what is drawn.

Needs the project with its extra `bench`, and grad-cam and captum without their dependencies:

    pip install -e '.[bench]' && pip install --no-deps grad-cam captum

Peers that are missing are listed as such. Nothing is downloaded. While it runs, let the machine do
nothing else.
"""

from __future__ import annotations

import datetime
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark.chart import draw
from benchmark.flicker import flicker_section
from benchmark.loop import loop_section
from benchmark.pan import tracking_section
from benchmark.peers import TORCHCAM, open_peers
from benchmark.sections import contest_section, limits_section, missing_section
from benchmark.views import views_section
from live_cam.bench.contest import contest
from live_cam.bench.entries import TRUTH, Opened, entries, forward_alone
from live_cam.bench.inputs import benchmark_inputs, weights_at_hand
from live_cam.bench.limits import layers, measure_limits
from live_cam.bench.machine import describe_machine
from live_cam.engines.openvino import openvino_devices
from live_cam.errors import LiveCamError
from live_cam.network.classifier import load_classifier
from live_cam.network.precision import select_device
from live_cam.runtime.report import Report
from live_cam.settings import ENGINES, EngineChoice, Settings

if TYPE_CHECKING:
    from live_cam.network.classifier import Classifier
    from live_cam.runtime.report import Section

_PARTS = ("engines", "loop", "tracking", "calm", "views")
_WARM_UP = 3
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--device", default="auto", show_default=True, help="Where the network runs.")
@click.option("--model", default="vgg19", show_default=True, help="The network.")
@click.option(
    "--weights",
    type=_FILE,
    help="A state dict.  [default: torchvision's where they are cached, else random ones]",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="How many frames each one explains.",
)
@click.option(
    "--int8/--no-int8",
    default=True,
    show_default=True,
    help="Whether to measure int8, for which the network is quantised once, in minutes.",
)
@click.option(
    "--loop",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    help="Seconds for which each run of the whole program is measured.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What explains in the whole program's runs but that of int8.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    help="What to measure; may be given several times.  [default: everything]",
)
@click.option("--json", "json_file", type=_FILE, help="Write the figures here, for programs.")
@click.option("--markdown", type=_FILE, help="Write the tables here, for a page.")
@click.option("--plot", type=_FILE, help="Draw the explanations' times here: .svg or .png.")
def benchmark(
    device: str,
    model: str,
    weights: Path | None,
    frames: int,
    int8: bool,
    loop: float,
    engine: EngineChoice,
    parts: tuple[str, ...],
    json_file: Path | None,
    markdown: Path | None,
    plot: Path | None,
) -> None:
    """Measure every way to explain a frame that is here, the machine itself, and the images."""
    parts = parts or _PARTS
    if plot and "engines" not in parts:
        raise click.UsageError("--plot draws the engines' times; add --part engines.")
    place = select_device(device)
    with weights_at_hand(model, weights) as (path, origin):
        classifier = load_classifier(model, weights=path, device=place)
        facts = describe_machine() | {
            "Network": f"{model}, explained at {classifier.layer}; weights: {origin}",
            "Date": datetime.date.today().isoformat(),
        }
        settings = Settings(model=model, weights=path, device=str(place), engine=engine)
        sections: list[Section] = []
        if "engines" in parts:
            sections += explanations(classifier, place, frames, int8=int8)
        if "loop" in parts:
            sections.append(whole_loop(settings, loop, int8=int8))
        if "tracking" in parts:
            sections.append(tracking_section())
        if "calm" in parts:
            _notify("Measuring how calm the images are …")
            sections.append(flicker_section())
        if "views" in parts:
            sections.append(views_section(settings, frames, _notify))
    report = Report(f"{model} on {place}, {frames} frames", facts, tuple(sections))
    click.echo(report.text())
    if json_file:
        json_file.write_text(report.to_json(), encoding="utf-8")
    if markdown:
        markdown.write_text(report.markdown(), encoding="utf-8")
    if plot:
        draw(report, plot)


def explanations(
    classifier: Classifier, device: torch.device, frames: int, *, int8: bool = True
) -> tuple[Section, ...]:
    """Measure the engines, the peers and the machine.

    Args:
        classifier: The network, on the device.
        device: Where to measure.
        frames: How many each one explains, beside those to warm up.
        int8: Whether to measure int8.

    Returns:
        How the contestants did, what the machine can do and, if any, who is missing.
    """
    _notify("Measuring the machine …")
    limits = measure_limits(device)
    inputs, _ = benchmark_inputs(classifier, frames, device)
    work = layers(classifier.module, inputs[0])
    with ExitStack() as stack:
        _notify("Opening the peers …")
        # Before the engines, whose hooks the peers' copies of the network would have, too.
        peers, missing = open_peers(classifier, device, inputs[0], stack)
        wanted = entries(device, limits.rates, int8=int8)
        opened = stack.enter_context(Opened(classifier, wanted, device, inputs[0], _notify))
        alone = [
            forward_alone(engine, name)
            for name, engine in opened.engines.items()
            if engine.exact and name != TRUTH
        ]
        contestants = [*opened.contestants, *alone, *peers]
        yardstick = TORCHCAM if any(peer.name == TORCHCAM for peer in peers) else TRUTH
        steps = len(contestants) * (len(inputs) + _WARM_UP)
        with click.progressbar(length=steps, label="Explaining", file=sys.stderr) as bar:
            outcomes = contest(
                contestants,
                inputs,
                truth=TRUTH,
                yardstick=yardstick,
                device=device,
                warm_up=_WARM_UP,
                progress=lambda: bar.update(1),
            )
    missing |= opened.missing
    return (
        contest_section(
            outcomes,
            truth=TRUTH,
            yardstick=yardstick,
            work=work,
            limits=limits,
            device=str(device),
        ),
        limits_section(limits, work),
        *([missing_section(missing)] if missing else []),
    )


def whole_loop(settings: Settings, seconds: float, *, int8: bool = True) -> Section:
    """Measure the live loop with an engine, with all threads, and with int8.

    Args:
        settings: The network, its weights and its device, and which engine.
        seconds: For how long to measure each.
        int8: Whether to measure int8.
    """
    chosen = [settings]
    if select_device(settings.device).type == "cpu":
        chosen.append(replace(settings, threads=torch.get_num_threads()))
        if int8 and openvino_devices():
            chosen.append(replace(settings, engine="auto", precision="int8"))
    return loop_section(chosen, seconds, _notify)


def _notify(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    try:
        benchmark.main()
    except LiveCamError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(error.exit_code)
