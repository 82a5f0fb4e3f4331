"""Plots the times of a contest as a bar chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from live_cam.runtime.report import Report

_OURS: Final = "#0b6e99"
_OTHERS: Final = "#b9bec4"
_INK: Final = "#33383d"
_PAPER: Final = "#ffffff"
_WIDTH = 8.0
_BAR_HEIGHT = 0.38
_FRAME_HEIGHT = 1.5
"""Inches."""


def draw(report: Report, path: Path) -> None:
    """Plot the first section of a report, the fastest contestant on top.

    Args:
        report: A report of `scripts/benchmark`.
        path: The image to write: `.svg`, `.png` or another format of matplotlib.
    """
    from matplotlib.figure import Figure

    rows = report.sections[0].rows
    middle, lower, upper = (
        [1e3 * float(row[f"{name}_seconds"] or 0.0) for row in rows]
        for name in ("median", "lower", "upper")
    )
    colours = [_OURS if row["ours"] else _OTHERS for row in rows]
    figure = Figure(
        (_WIDTH, _FRAME_HEIGHT + _BAR_HEIGHT * len(rows)), layout="constrained", facecolor=_PAPER
    )
    axes = figure.subplots()
    whiskers = (
        [median - low for median, low in zip(middle, lower, strict=True)],
        [high - median for median, high in zip(middle, upper, strict=True)],
    )
    axes.barh(range(len(rows)), middle, height=0.66, color=colours, linewidth=0)
    axes.errorbar(
        middle, range(len(rows)), xerr=whiskers, fmt="none", ecolor=_INK, elinewidth=1, capsize=3
    )
    for index, high in enumerate(upper):
        axes.annotate(
            f"{middle[index]:.1f}",
            (high, index),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=_INK,
        )
    axes.set_yticks(range(len(rows)), [str(row["name"]) for row in rows], color=_INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(upper))
    axes.set_xlabel("ms per explanation: median and quartiles; less is better", color=_INK)
    axes.tick_params(length=0, colors=_INK)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color="#e6e8ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title(report.title, loc="left", color=_INK, fontsize=12, fontweight="bold")
    axes.text(1.0, 1.02, "live_cam", color=_OURS, transform=axes.transAxes, ha="right")
    axes.text(0.88, 1.02, "others", color="#868d94", transform=axes.transAxes, ha="right")
    figure.savefig(path, dpi=160)
