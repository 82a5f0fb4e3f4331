"""The benchmark's findings as sections of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.bench.limits import time_limit
from live_cam.runtime.report import Cell, Column, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from live_cam.bench.contest import Outcome
    from live_cam.bench.limits import Layer, Limits

_PRECISIONS: Final = ("fp32", "bf16", "fp16", "int8")


def contest_section(
    outcomes: Sequence[Outcome],
    *,
    truth: str,
    yardstick: str,
    work: Sequence[Layer],
    limits: Limits,
    device: str,
) -> Section:
    """Return how the contestants did, the fastest first.

    Args:
        outcomes: Of one contest.
        truth: The contestant whose maps the others' were compared with.
        yardstick: The contestant whose time the others' were compared with.
        work: The network's layers.
        limits: The device's.
        device: Which device these are the limits of; shares of others' are left open.
    """
    rows: list[dict[str, Cell]] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.seconds.median):
        contestant, seconds = outcome.contestant, outcome.seconds
        here = contestant.device == device
        limit = time_limit(work, limits, contestant.precision) if here else None
        rows.append(
            {
                "name": contestant.name,
                "ours": contestant.ours,
                "device": contestant.device,
                "precision": contestant.precision,
                "exact": contestant.exact,
                "lower_seconds": seconds.lower,
                "median_seconds": seconds.median,
                "upper_seconds": seconds.upper,
                "speed": outcome.speed,
                "share_of_limit": limit and limit / seconds.median,
                "correlation": outcome.correlation,
                "agreement": outcome.agreement,
                "clear_agreement": outcome.clear_agreement,
                "deviation": outcome.deviation,
            }
        )
    columns = (
        Column("name", "engine"),
        Column("median_seconds", "median ms", "{:.1f}", 1e3),
        Column("lower_seconds", "25 % ms", "{:.1f}", 1e3),
        Column("upper_seconds", "75 % ms", "{:.1f}", 1e3),
        Column("speed", f"× {yardstick}", "{:.2f}"),
        Column("share_of_limit", "of limit", "{:.0f} %", 100.0),
        Column("correlation", "correlation", "{:.4f}"),
        Column("agreement", "same class", "{:.0f} %", 100.0),
        Column("clear_agreement", "if clear", "{:.0f} %", 100.0),
        Column("deviation", "deviation", "{:.0e}"),
    )
    note = (
        f"× {yardstick}: how many times as fast, frame by frame. Of limit: the time that the "
        "machine's own rate and bandwidth leave possible in that precision, as a share of the "
        f"time taken. Correlation: of the map with that of {truth}, where the class is the same. "
        "If clear: of the frames whose best class leads the second by more than 0.1. "
        "Deviation, of engines that promise the same map: the largest difference to it, as a "
        "share of its maximum."
    )
    return Section("Explanations", columns, tuple(rows), (note,))


def missing_section(missing: Mapping[str, str]) -> Section:
    """Return who could not take part.

    Args:
        missing: The reason, by the contestant's name.
    """
    rows: tuple[dict[str, Cell], ...] = tuple(
        {"name": name, "reason": reason} for name, reason in missing.items()
    )
    return Section("Not here", (Column("name", "engine"), Column("reason", "reason")), rows)


def limits_section(limits: Limits, work: Sequence[Layer]) -> Section:
    """Return what the device can do, and how fast one explanation could be at best.

    Args:
        limits: The device's.
        work: The network's layers.
    """
    rows: tuple[dict[str, Cell], ...] = tuple(
        {
            "precision": precision,
            "rate": limits.rates[precision],
            "limit_seconds": time_limit(work, limits, precision),
        }
        for precision in _PRECISIONS
        if precision in limits.rates
    )
    columns = (
        Column("precision", "precision"),
        Column("rate", "matrix product GFLOP/s", "{:.0f}", 1e-9),
        Column("limit_seconds", "limit ms", "{:.1f}", 1e3),
    )
    operations = sum(layer.flops for layer in work)
    weights = sum(layer.weights for layer in work)
    note = (
        f"Memory is read at {limits.bandwidth / 1e9:.1f} GB/s. One forward pass: "
        f"{operations / 1e9:.2f} GFLOP with {weights / 1e6:.2f} million weights. The limit is the "
        "sum over the layers of the longer of the two: computing, or reading the weights."
    )
    return Section("Limits of the machine", columns, rows, (note,))
