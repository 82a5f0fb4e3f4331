"""The live loop's schedule with an explainer that only waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import numpy as np

from live_cam.explain.explainer import Explainer
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.live.schedule import EveryFrame, NewestFirst, Schedule, Shown
from tests.support.explanations import explanation
from tests.support.sources import FakeSource

PATIENCE = 20.0


class FakeExplainer:
    """Takes a while for each frame, as a network does, and records which ones it received."""

    def __init__(
        self, seconds: float = 0.0, failure: Exception | None = None, *, settled: bool = False
    ) -> None:
        self.settled = settled
        self.incomplete = False
        self.loaded = threading.Event()
        self.indices: list[int] = []
        self.repeated: list[int] = []
        self._seconds = seconds
        self._failure = failure

    def load(self) -> None:
        if self._failure:
            raise self._failure
        self.loaded.set()

    def repeat(self, frame: Frame) -> None:
        self.repeated.append(frame.index)

    def explain(self, frame: Frame) -> Explanation:
        time.sleep(self._seconds)
        self.indices.append(frame.index)
        zeros = np.zeros((2, 2), np.float32)
        return explanation(zeros, index=frame.index, timestamp=frame.timestamp)


def start(
    kind: type[NewestFirst | EveryFrame], source: FakeSource, explainer: FakeExplainer
) -> tuple[Schedule, list[tuple[int, int]]]:
    noted: list[tuple[int, int]] = []
    schedule = kind(
        source,
        cast("Explainer", explainer),
        lambda frame, explanation: noted.append((frame.index, explanation.frame_index)),
    )
    return schedule, noted


def play(schedule: Schedule, until: Callable[[list[Shown]], bool] = lambda _: False) -> list[Shown]:
    """Consume frames as the live loop does, until the end or a condition."""
    shown: list[Shown] = []
    limit = time.monotonic() + PATIENCE
    while not schedule.ended and not until(shown):
        assert time.monotonic() < limit, "the schedule hangs"
        following = schedule.next(0.01)
        if following is not None:
            shown.append(following)
            schedule.load()
    return shown


REGULAR = [index / 50 for index in range(40)]
