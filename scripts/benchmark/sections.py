"""The benchmark's results as sections of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.bench.limits import time_limit
from live_cam.runtime.report import Cell, Column, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from live_cam.bench.contest import ContestResult
    from live_cam.bench.limits import Layer, MachineLimits

_PRECISIONS: Final = ("fp32", "bf16", "fp16", "int8")


def contest_section(
    outcomes: Sequence[ContestResult],
    *,
    reference: str,
    baseline: str,
    work: Sequence[Layer],
    limits: MachineLimits,
    device: str,
) -> Section:
    """Return the outcomes of a contest, the fastest first.

    Args:
        outcomes: The outcomes of one contest.
        reference: The contestant whose CAMs the others were compared with.
        baseline: The contestant whose time the others were compared with.
        work: The network's layers.
        limits: The limits of a device.
        device: The device of these limits; other devices get no share of the limit.
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
        Column("speed", f"× {baseline}", "{:.2f}"),
        Column("share_of_limit", "of limit", "{:.0f} %", 100.0),
        Column("correlation", "correlation", "{:.4f}"),
        Column("agreement", "same class", "{:.0f} %", 100.0),
        Column("clear_agreement", "if clear", "{:.0f} %", 100.0),
        Column("deviation", "deviation", "{:.0e}"),
    )
    note = (
        f"× {baseline}: speed relative to {baseline}, frame by frame. Of limit: the least time "
        "that the machine's rate and bandwidth allow in that precision, as a share of the time "
        f"taken. Correlation: of the CAM with that of {reference}, where the class is the same. "
        "If clear: among the frames whose top class leads by more than 0.1. Deviation, of exact "
        f"engines: the largest difference to the CAM of {reference}, as a share of its maximum."
    )
    return Section("Explanations", columns, tuple(rows), (note,))


def missing_section(missing: Mapping[str, str]) -> Section:
    """Return the contestants that could not take part.

    Args:
        missing: The reasons by name.
    """
    rows: tuple[dict[str, Cell], ...] = tuple(
        {"name": name, "reason": reason} for name, reason in missing.items()
    )
    return Section("Not available", (Column("name", "engine"), Column("reason", "reason")), rows)


def limits_section(limits: MachineLimits, work: Sequence[Layer]) -> Section:
    """Return a device's limits, and the least time that they allow for an explanation.

    Args:
        limits: The device's limits.
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
        "sum over the layers of the longer of computing and reading the weights."
    )
    return Section("Limits of the machine", columns, rows, (note,))
