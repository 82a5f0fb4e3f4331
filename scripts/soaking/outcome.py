"""The outcome of a long run, and its verdict."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soaking.vitals import Trend

_MOST_GROWTH: Final = {
    "resident_mb": 48.0,
    "handles": 6.0,
    "children": 1.0,
    "gpu_mb": 16.0,
}
"""The largest growth from the first third of a run to the last."""
_MORE_THREADS: Final = 3
"""The largest number of additional threads at the end of a run."""
_OLDEST: Final = 2.0
"""The largest age of an explanation without a fault, in seconds."""
_NAMES: Final = {
    "resident_mb": "memory (MiB)",
    "threads": "threads",
    "handles": "open files",
    "children": "child processes",
    "gpu_mb": "GPU memory (MiB)",
}


@dataclass(frozen=True, slots=True)
class Returns:
    """The recovery times after faults of one kind, in seconds."""

    times: int
    """The number of faults."""
    usual: float
    """The median recovery time."""
    most: float
    """The longest recovery time."""

    @classmethod
    def of(cls, waits: Sequence[float]) -> Returns:
        """Summarise recovery times."""
        return cls(len(waits), statistics.median(waits), max(waits))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measurements of a run."""

    seconds: float
    taken: int
    """Images taken by the camera."""
    shown: int
    explained: int
    keys: int
    """Keys pressed."""
    recordings: int
    """Recordings checked after they were closed."""
    recorded: int
    """Images in these recordings."""
    usual_age: float
    """The median age of the explanation on an image without a fault, in seconds."""
    oldest: float
    """The 99.9 % quantile of this age, in seconds."""
    returns: dict[str, Returns]
    trends: dict[str, Trend]
    more_threads: dict[str, int]
    """The additional threads at the end of the run, by name."""
    problems: list[str]

    def judged(self) -> list[str]:
        """Return the problems, one sentence each."""
        problems = list(self.problems)
        for name, most in _MOST_GROWTH.items():
            trend = self.trends.get(name)
            if trend and trend.last - trend.first > most:
                problems.append(f"{_NAMES[name]} grew from {trend.first:.0f} to {trend.last:.0f}")
        if sum(self.more_threads.values()) > _MORE_THREADS:
            threads = ", ".join(f"{count} × {name}" for name, count in self.more_threads.items())
            problems.append(f"threads stay: {threads}")
        if self.oldest > _OLDEST:
            problems.append(f"explanations were up to {self.oldest:.2f} s old")
        if not self.explained:
            problems.append("nothing was explained")
        return problems

    def lines(self) -> list[str]:
        """Return the report as text."""
        counts = (
            f"{self.seconds / 3600:.2f} hours: {self.taken} images taken, {self.shown} shown "
            f"({self.shown / self.seconds:.0f} per second), {self.explained} explained, "
            f"{self.keys} keys; {self.recordings} recordings checked, {self.recorded} images."
        )
        ages = (
            f"Age of explanations: median {1000 * self.usual_age:.0f} ms, "
            f"99.9 % quantile {1000 * self.oldest:.0f} ms."
        )
        return [
            counts,
            ages,
            "",
            f"{'':24}{'first minimum':>16}{'last':>12}{'maximum':>10}{'per hour':>12}",
            *(
                f"{_NAMES[name]:24}{trend.first:16.1f}{trend.last:12.1f}{trend.most:10.0f}"
                f"{trend.per_hour:+12.2f}"
                for name, trend in self.trends.items()
            ),
            "",
            f"{'fault':24}{'count':>14}{'recovery':>14}{'longest':>10}",
            *(
                f"{kind:24}{back.times:14}{back.usual:12.2f} s{back.most:8.2f} s"
                for kind, back in self.returns.items()
            ),
        ]
