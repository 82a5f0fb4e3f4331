"""The resources that a process uses, sampled, and their growth."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_WARM_UP: Final = 0.25
"""Share of the samples left out at the start, while caches, buffers and memory pools fill."""
_MOST_PAIRED: Final = 400
"""The largest number of samples for the slope, whose cost grows with the number of pairs."""
_SETTLED: Final = 1.0
"""Seconds without a change after which the set of threads counts as settled."""
_UNSETTLED: Final = 10.0
"""The longest wait for that, in seconds."""
_POLL: Final = 0.05
_MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """A sample of a process's resources."""

    hours: float
    """Hours since the start."""
    resident_mb: float
    """Resident memory in MiB."""
    threads: float
    handles: float
    """Open files, sockets and the like."""
    children: float
    gpu_mb: float
    """GPU memory of torch's allocator in MiB; 0 without a GPU."""
    names: tuple[str, ...]
    """The names of the threads."""

    @property
    def recording(self) -> bool:
        """Whether a recorder is open, whose encoder has threads that end with it."""
        return "recorder" in self.names


class VitalsWatch:
    """Samples this process at an interval, in its own thread.

    Attributes:
        samples: The samples so far.
    """

    def __init__(self, interval: float) -> None:
        """Start sampling at an interval in seconds."""
        self.samples: list[Vitals] = []
        self._interval = interval
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vitals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.samples.append(sample_vitals((time.monotonic() - self._began) / 3600))


def sample_vitals(hours: float) -> Vitals:
    """Return the resources that this process uses now. Linux only."""
    process = Path("/proc/self")
    names = thread_names()
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
        threads=names.total(),
        handles=len(list((process / "fd").iterdir())),
        children=children,
        gpu_mb=torch.cuda.memory_allocated() / _MEGABYTE if torch.cuda.is_available() else 0,
        names=tuple(names.elements()),
    )


def thread_names() -> Counter[str]:
    """Count this process's threads by name: Python's name, or else the system's."""
    python = {thread.native_id: thread.name for thread in threading.enumerate()}
    names: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # the thread has just ended
            names[python.get(int(task.name)) or (task / "comm").read_text().strip()] += 1
    return names


def settled_threads() -> Counter[str]:
    """Wait until threads no longer start or end, and count the remaining ones by name."""
    began = changed = time.monotonic()
    names = thread_names()
    while (now := time.monotonic()) - changed < _SETTLED and now - began < _UNSETTLED:
        time.sleep(_POLL)
        before, names = names, thread_names()
        if names != before:
            changed = time.monotonic()
    return names


@dataclass(frozen=True, slots=True)
class Trend:
    """The development of one resource after the warm-up."""

    first: float
    """The minimum of the first third; a leak raises minima, which temporary use does not."""
    last: float
    """The minimum of the last third."""
    most: float
    """The maximum."""
    per_hour: float
    """The Theil-Sen slope: the median of the slopes between all pairs of samples, robust to
    outliers."""


def trends(samples: Sequence[Vitals]) -> dict[str, Trend]:
    """Return the trend of each field of `Vitals`, or nothing for fewer than six samples."""
    settled = samples[int(len(samples) * _WARM_UP) :]
    if len(settled) < 6:
        return {}
    third = len(settled) // 3
    step = max(1, len(settled) // _MOST_PAIRED)
    result = {}
    for field in fields(Vitals):
        if field.name in ("hours", "names"):
            continue
        values = [float(getattr(sample, field.name)) for sample in settled]
        result[field.name] = Trend(
            first=min(values[:third]),
            last=min(values[-third:]),
            most=max(values),
            per_hour=_slope([sample.hours for sample in settled][::step], values[::step]),
        )
    return result


def more_threads(samples: Sequence[Vitals], after: Counter[str]) -> Counter[str]:
    """Return the additional threads at the end of a run, by name.

    Only samples without a recording are compared: an encoder's threads end with their recording,
    which may last for a third of a short run.

    Args:
        samples: The samples of the run.
        after: The threads after the run, from `settled_threads`.
    """
    settled = samples[int(len(samples) * _WARM_UP) :]
    third = max(1, len(settled) // 3)
    first = _fewest(_not_recording(settled[:third]) or settled[:third])
    return (after - first) | (_fewest(_not_recording(settled[-third:])) - first)


def _not_recording(samples: Sequence[Vitals]) -> list[Vitals]:
    return [sample for sample in samples if not sample.recording]


def _fewest(samples: Sequence[Vitals]) -> Counter[str]:
    fewest = min(samples, key=lambda sample: sample.threads, default=None)
    return Counter(fewest.names if fewest else ())


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    return statistics.median(
        (values[later] - values[earlier]) / (times[later] - times[earlier])
        for later in range(len(times))
        for earlier in range(later)
    )
