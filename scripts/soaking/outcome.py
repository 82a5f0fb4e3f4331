"""What a long run has come to, and whether that is good."""

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
"""From the first third of a run to its last."""
_MORE_THREADS: Final = 3
_OLDEST: Final = 2.0
"""Seconds that an explanation may be old while nothing is broken."""
_NAMES: Final = {
    "resident_mb": "memory (MiB)",
    "threads": "threads",
    "handles": "open files",
    "children": "child processes",
    "gpu_mb": "GPU memory (MiB)",
}


@dataclass(frozen=True, slots=True)
class Returns:
    """How soon the program was back after faults of one kind had ended, in seconds."""

    times: int
    usual: float
    most: float

    @classmethod
    def of(cls, waits: Sequence[float]) -> Returns:
        """Sum up."""
        return cls(len(waits), statistics.median(waits), max(waits))


@dataclass(frozen=True, slots=True)
class Outcome:
    """All figures of a run."""

    seconds: float
    taken: int
    """Images that the camera gave."""
    shown: int
    explained: int
    keys: int
    """How many were pressed."""
    recordings: int
    """How many were read again after they had been closed."""
    recorded: int
    """Images in them."""
    usual_age: float
    """Seconds: median age of the explanation on an image, while nothing was broken."""
    oldest: float
    """The age that 999 of 1000 images' explanations did not exceed."""
    returns: dict[str, Returns]
    trends: dict[str, Trend]
    more_threads: dict[str, int]
    """How many of each name there are more than at first."""
    problems: list[str]

    def judged(self) -> list[str]:
        """Return what is not good, a sentence each."""
        found = list(self.problems)
        for name, most in _MOST_GROWTH.items():
            trend = self.trends.get(name)
            if trend and trend.last - trend.first > most:
                found.append(f"{_NAMES[name]} grew from {trend.first:.0f} to {trend.last:.0f}")
        if sum(self.more_threads.values()) > _MORE_THREADS:
            threads = ", ".join(f"{count} × {name}" for name, count in self.more_threads.items())
            found.append(f"threads have come that stay: {threads}")
        if self.oldest > _OLDEST:
            found.append(f"explanations were up to {self.oldest:.2f} s old")
        if not self.explained:
            found.append("nothing was explained")
        return found

    def lines(self) -> list[str]:
        """Return what a person reads."""
        what = (
            f"{self.seconds / 3600:.2f} hours: {self.taken} images taken, {self.shown} shown "
            f"({self.shown / self.seconds:.0f} per second), {self.explained} explained, "
            f"{self.keys} keys; {self.recordings} recordings read again, {self.recorded} images."
        )
        how_old = (
            f"Age of explanations: {1000 * self.usual_age:.0f} ms, "
            f"at most {1000 * self.oldest:.0f} ms in 999 of 1000 images."
        )
        return [
            what,
            how_old,
            "",
            f"{'':24}{'least at first':>16}{'at last':>12}{'most':>10}{'per hour':>12}",
            *(
                f"{_NAMES[name]:24}{trend.first:16.1f}{trend.last:12.1f}{trend.most:10.0f}"
                f"{trend.per_hour:+12.2f}"
                for name, trend in self.trends.items()
            ),
            "",
            f"{'after the fault':24}{'times':>14}{'back after':>14}{'at most':>10}",
            *(
                f"{kind:24}{back.times:14}{back.usual:12.2f} s{back.most:8.2f} s"
                for kind, back in self.returns.items()
            ),
        ]
