"""Measures every engine against its peers and the machine's limits, and the live loop as a whole.

It needs the project with its extra `bench`, and grad-cam and captum without their dependencies:

    pip install -e '.[bench]' && pip install --no-deps grad-cam captum

Missing peers are listed. Nothing is downloaded. The machine should be idle otherwise.
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
from live_cam.bench.entries import REFERENCE, OpenEntries, entries, forward_alone
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

_PARTS = ("engines", "loop", "tracking", "flicker", "views")
_WARM_UP = 3
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--device", default="auto", show_default=True, help="Where the network runs.")
@click.option("--model", default="vgg19", show_default=True, help="The network.")
@click.option(
    "--weights",
    type=_FILE,
    help="A state dict.  [default: torchvision's if they are cached, else random ones]",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Frames per engine.",
)
@click.option(
    "--int8/--no-int8",
    default=True,
    show_default=True,
    help="Whether to measure int8; quantising the network takes minutes, once.",
)
@click.option(
    "--loop",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    help="Seconds of each run of the live loop.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="The engine of the live loop's runs, except that of int8.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    help="A part to measure; repeat it for several.  [default: everything]",
)
@click.option("--json", "json_file", type=_FILE, help="Write the results as JSON.")
@click.option("--markdown", type=_FILE, help="Write the tables as Markdown.")
@click.option("--plot", type=_FILE, help="Plot the times of the engines: .svg or .png.")
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
    """Measure engines and their peers, the machine's limits, the live loop and its views."""
    parts = parts or _PARTS
    if plot and "engines" not in parts:
        raise click.UsageError("--plot needs the times of the engines; add --part engines.")
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
        if "flicker" in parts:
            _notify("Measuring flicker …")
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
        device: The device to measure.
        frames: The number of frames per contestant, besides those for warm-up.
        int8: Whether to measure int8.

    Returns:
        The sections of the contest, of the machine's limits and of missing contestants, if any.
    """
    _notify("Measuring the machine …")
    limits = measure_limits(device)
    inputs, _ = benchmark_inputs(classifier, frames, device)
    work = layers(classifier.module, inputs[0])
    with ExitStack() as stack:
        _notify("Opening the peers …")
        # Opened before the engines, whose hooks would be copied with the network.
        peers, missing = open_peers(classifier, device, inputs[0], stack)
        wanted = entries(device, limits.rates, int8=int8)
        opened = stack.enter_context(OpenEntries(classifier, wanted, device, inputs[0], _notify))
        alone = [
            forward_alone(engine, name)
            for name, engine in opened.engines.items()
            if engine.exact and name != REFERENCE
        ]
        contestants = [*opened.contestants, *alone, *peers]
        baseline = TORCHCAM if any(peer.name == TORCHCAM for peer in peers) else REFERENCE
        steps = len(contestants) * (len(inputs) + _WARM_UP)
        with click.progressbar(length=steps, label="Explaining", file=sys.stderr) as bar:
            outcomes = contest(
                contestants,
                inputs,
                reference=REFERENCE,
                baseline=baseline,
                device=device,
                warm_up=_WARM_UP,
                progress=lambda: bar.update(1),
            )
    missing |= opened.missing
    return (
        contest_section(
            outcomes,
            reference=REFERENCE,
            baseline=baseline,
            work=work,
            limits=limits,
            device=str(device),
        ),
        limits_section(limits, work),
        *([missing_section(missing)] if missing else []),
    )


def whole_loop(settings: Settings, seconds: float, *, int8: bool = True) -> Section:
    """Measure the live loop with the given engine, with all threads, and with int8.

    Args:
        settings: The network, its weights, the device and the engine.
        seconds: The duration of each run.
        int8: Whether to measure int8.
    """
    runs = [settings]
    if select_device(settings.device).type == "cpu":
        runs.append(replace(settings, threads=torch.get_num_threads()))
        if int8 and openvino_devices():
            runs.append(replace(settings, engine="auto", precision="int8"))
    return loop_section(runs, seconds, _notify)


def _notify(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    try:
        benchmark.main()
    except LiveCamError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(error.exit_code)
