"""What a process takes of the machine, sampled, and how it grows."""

from __future__ import annotations

import os
import statistics
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_WARM_UP: Final = 0.25
"""Share of the samples that are left out: caches, buffers and the allocator's pools fill."""
_MOST_PAIRED: Final = 400
"""Samples of which the slope is taken; it takes their pairs."""
_MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process."""

    hours: float
    """Since the first one."""
    resident_mb: float
    """Memory, in MiB."""
    threads: float
    handles: float
    """Open files, sockets and the like."""
    children: float
    gpu_mb: float
    """Of torch's allocator on the GPU, in MiB; 0 without one."""


class VitalsWatch:
    """Looks at this process at an interval, in a thread of its own.

    Attributes:
        samples: What it has seen.
    """

    def __init__(self, interval: float) -> None:
        """Take the seconds between two looks."""
        self.samples: list[Vitals] = []
        self._interval = interval
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vitals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.samples.append(look((time.monotonic() - self._began) / 3600))


def look(hours: float) -> Vitals:
    """Return what this process takes now. Linux only."""
    process = Path("/proc/self")
    pages = int((process / "statm").read_text().split()[1])
    tasks = [task.name for task in (process / "task").iterdir()]
    children = sum(
        len((process / "task" / task / "children").read_text().split())
        for task in tasks
        if (process / "task" / task / "children").exists()
    )
    return Vitals(
        hours=hours,
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE,
        threads=len(tasks),
        handles=len(list((process / "fd").iterdir())),
        children=children,
        gpu_mb=torch.cuda.memory_allocated() / _MEGABYTE if torch.cuda.is_available() else 0,
    )


@dataclass(frozen=True, slots=True)
class Trend:
    """How one figure went after the warm-up."""

    first: float
    """Least of the first third: a leak raises what is left when all that comes and goes is gone."""
    last: float
    """Least of the last third."""
    most: float
    per_hour: float
    """Slope by Theil and Sen: the median of the slopes between all pairs of samples, which single
    peaks do not bend."""


def trends(samples: Sequence[Vitals]) -> dict[str, Trend]:
    """Return the trend of each figure of `Vitals`; of fewer than six samples, none."""
    settled = samples[int(len(samples) * _WARM_UP) :]
    if len(settled) < 6:
        return {}
    third = len(settled) // 3
    step = max(1, len(settled) // _MOST_PAIRED)
    found = {}
    for each in fields(Vitals):
        if each.name == "hours":
            continue
        values = [float(getattr(sample, each.name)) for sample in settled]
        found[each.name] = Trend(
            first=min(values[:third]),
            last=min(values[-third:]),
            most=max(values),
            per_hour=_slope([sample.hours for sample in settled][::step], values[::step]),
        )
    return found


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    return statistics.median(
        (values[later] - values[earlier]) / (times[later] - times[earlier])
        for later in range(len(times))
        for earlier in range(later)
    )
