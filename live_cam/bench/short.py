"""The benchmark for users: the fastest engine on this machine, and its speed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from live_cam.bench.contest import contest
from live_cam.bench.entries import REFERENCE, OpenEntries, entries
from live_cam.bench.inputs import benchmark_inputs, network
from live_cam.bench.limits import measure_limits
from live_cam.bench.machine import describe_machine
from live_cam.network.precision import select_device
from live_cam.runtime.report import Cell, Column, Report, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from live_cam.bench.contest import ContestResult

_FACTS = ("CPU", "GPU")
_WARM_UP = 2
_TRUSTED = 0.8
"""The correlation below which an inexact engine is not recommended."""


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
    """Measure every available engine on a network.

    Args:
        model: The network's name.
        weights: See `weights_at_hand`.
        device: The network's device, as in `select_device`.
        frames: The number of frames per engine, besides two for warm-up.
        int8: Whether to measure int8, for which the network is quantised once.
        notify: Called with a sentence at each stage.
        progress: Called with the number of finished explanations and their total.

    Returns:
        A table and a recommendation, as text.

    Raises:
        LiveCamError: The network or the device is unknown, or the network cannot be explained.
    """
    place = select_device(device)
    notify("Loading the network …")
    with network(model, weights=weights, device=place) as (classifier, origin):
        notify("Measuring the machine …")
        rates = measure_limits(place).rates
        inputs, source = benchmark_inputs(classifier, frames, place)
        wanted = entries(place, rates, int8=int8)
        with OpenEntries(classifier, wanted, place, inputs[0], notify) as opened:
            steps = len(opened.contestants) * (len(inputs) + _WARM_UP)
            done = itertools.count(1)
            outcomes = contest(
                opened.contestants,
                inputs,
                reference=REFERENCE,
                baseline=REFERENCE,
                device=place,
                warm_up=_WARM_UP,
                progress=lambda: progress(next(done), steps),
            )
    machine = describe_machine()
    facts = {name: machine[name] for name in _FACTS if name in machine}
    facts |= {"Weights": origin, "Frames": f"{frames} {source}"}
    section = _section(outcomes, opened.missing)
    return Report(f"{model} on {place}", facts, (section,)).text() + "\n" + verdict(outcomes)


def verdict(outcomes: Sequence[ContestResult]) -> str:
    """Return a sentence that recommends engines.

    Args:
        outcomes: The outcomes of a contest, at least one of them exact.
    """
    exact = min(
        (outcome for outcome in outcomes if outcome.contestant.exact),
        key=lambda outcome: outcome.seconds.median,
    )
    sentence = (
        f"Fastest exact engine here: {exact.contestant.name}, "
        f"{_rate(exact)} explanations per second"
    )
    faster = [
        outcome
        for outcome in outcomes
        if not outcome.contestant.exact
        and outcome.seconds.median < exact.seconds.median
        and (outcome.correlation or 0.0) >= _TRUSTED
    ]
    if not faster:
        return sentence + "."
    inexact = min(faster, key=lambda outcome: outcome.seconds.median)
    return (
        f"{sentence}; {inexact.contestant.name} makes {_rate(inexact)}, and its heatmaps correlate "
        f"{inexact.correlation:.2f} with the exact ones."
    )


def _section(outcomes: Sequence[ContestResult], missing: dict[str, str]) -> Section:
    rows: list[dict[str, Cell]] = [
        {
            "name": outcome.contestant.name,
            "rate": 1.0 / outcome.seconds.median,
            "median_seconds": outcome.seconds.median,
            "speed": outcome.speed,
            "map": "exact" if outcome.contestant.exact else _agreement(outcome),
        }
        for outcome in sorted(outcomes, key=lambda outcome: outcome.seconds.median)
    ]
    columns = (
        Column("name", "engine"),
        Column("rate", "explanations/s", "{:.1f}"),
        Column("median_seconds", "ms", "{:.1f}", 1e3),
        Column("speed", f"× {REFERENCE}", "{:.2f}"),
        Column("map", "heatmap"),
    )
    notes = tuple(f"Not available: {name}: {reason}" for name, reason in missing.items())
    return Section("Engines", columns, tuple(rows), notes)


def _agreement(outcome: ContestResult) -> str:
    if outcome.correlation is None:
        return "of other classes" if not outcome.agreement else "constant"
    return f"correlates {outcome.correlation:.2f}"


def _rate(outcome: ContestResult) -> str:
    rate = 1.0 / outcome.seconds.median
    return f"{rate:.1f}" if rate < 20 else f"{rate:.0f}"
