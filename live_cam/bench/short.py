"""The benchmark for users: which engine is fastest here, and how many explanations to expect."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from live_cam.bench.contest import contest
from live_cam.bench.entries import TRUTH, Opened, entries
from live_cam.bench.inputs import benchmark_inputs, network
from live_cam.bench.limits import measure_limits
from live_cam.bench.machine import describe_machine
from live_cam.network.precision import select_device
from live_cam.runtime.report import Cell, Column, Report, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from live_cam.bench.contest import Outcome

_FACTS = ("CPU", "GPU")
_WARM_UP = 2
_TRUSTED = 0.8
"""The correlation below which a map is not worth recommending its engine."""


def bench(
    model: str = "vgg19",
    *,
    weights: Path | None = None,
    device: str = "auto",
    frames: int = 10,
    int8: bool = True,
    notify: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> str:
    """Measure every engine that is here on a network.

    Args:
        model: The network's name.
        weights: A state dict for it; None: torchvision's where they are cached, else random ones.
        device: Where the network runs, as `select_device` takes it.
        frames: How many frames each engine explains, beside two to warm up.
        int8: Whether to measure int8, for which the network is quantised once.
        notify: Called with what is being done.
        progress: Told how many explanations of how many are done.

    Returns:
        A table and a sentence, to be printed.

    Raises:
        LiveCamError: No such network or device, or it cannot be explained at all.
    """
    place = select_device(device)
    notify("Loading the network …")
    with network(model, weights=weights, device=place) as (classifier, origin):
        notify("Measuring the machine …")
        rates = measure_limits(place).rates
        inputs, source = benchmark_inputs(classifier, frames, place)
        wanted = entries(place, rates, int8=int8)
        with Opened(classifier, wanted, place, inputs[0], notify) as opened:
            steps = len(opened.contestants) * (len(inputs) + _WARM_UP)
            done = itertools.count(1)
            outcomes = contest(
                opened.contestants,
                inputs,
                truth=TRUTH,
                yardstick=TRUTH,
                device=place,
                warm_up=_WARM_UP,
                progress=lambda: progress(next(done), steps),
            )
    machine = describe_machine()
    facts = {name: machine[name] for name in _FACTS if name in machine}
    facts |= {"Weights": origin, "Frames": f"{frames} {source}"}
    section = _section(outcomes, opened.missing)
    return Report(f"{model} on {place}", facts, (section,)).text() + "\n" + verdict(outcomes)


def verdict(outcomes: Sequence[Outcome]) -> str:
    """Say in a sentence which engine to use.

    Args:
        outcomes: Of a contest; an exact engine is among them.
    """
    exact = min(
        (each for each in outcomes if each.contestant.exact), key=lambda each: each.seconds.median
    )
    sentence = (
        f"Fastest exact engine here: {exact.contestant.name}, "
        f"{_rate(exact)} explanations per second"
    )
    faster = [
        each
        for each in outcomes
        if not each.contestant.exact
        and each.seconds.median < exact.seconds.median
        and (each.correlation or 0.0) >= _TRUSTED
    ]
    if not faster:
        return sentence + "."
    rough = min(faster, key=lambda each: each.seconds.median)
    return (
        f"{sentence}; with {rough.contestant.name}, {_rate(rough)}, "
        f"its maps correlating {rough.correlation:.2f} with the exact ones."
    )


def _section(outcomes: Sequence[Outcome], missing: dict[str, str]) -> Section:
    rows: list[dict[str, Cell]] = [
        {
            "name": outcome.contestant.name,
            "rate": 1.0 / outcome.seconds.median,
            "median_seconds": outcome.seconds.median,
            "speed": outcome.speed,
            "map": "exact" if outcome.contestant.exact else _likeness(outcome),
        }
        for outcome in sorted(outcomes, key=lambda outcome: outcome.seconds.median)
    ]
    columns = (
        Column("name", "engine"),
        Column("rate", "explanations/s", "{:.1f}"),
        Column("median_seconds", "ms", "{:.1f}", 1e3),
        Column("speed", f"× {TRUTH}", "{:.2f}"),
        Column("map", "map"),
    )
    notes = tuple(f"Not here: {name}: {reason}" for name, reason in missing.items())
    return Section("Engines", columns, tuple(rows), notes)


def _likeness(outcome: Outcome) -> str:
    if outcome.correlation is None:
        return "of other classes" if not outcome.agreement else "constant"
    return f"correlates {outcome.correlation:.2f}"


def _rate(outcome: Outcome) -> str:
    rate = 1.0 / outcome.seconds.median
    return f"{rate:.1f}" if rate < 20 else f"{rate:.0f}"
