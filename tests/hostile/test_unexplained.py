"""Frames that cannot be explained: nothing waits for them, and none is lost."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from live_cam.cam.gradcam import CAMResult
from live_cam.engines.hook import HookEngine
from live_cam.errors import NonFiniteError
from live_cam.explain.explainer import Explainer
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.live.schedule import EveryFrame, NewestFirst
from live_cam.settings import EMBEDDED_MODEL, Settings
from tests.support.schedules import REGULAR, FakeExplainer, play, start
from tests.support.sources import FakeSource


class Fragile(FakeExplainer):
    """Fails on some of the frames."""

    def __init__(self, *broken: int, settled: bool = False) -> None:
        super().__init__(settled=settled)
        self.attempts: list[int] = []
        self._broken = broken

    def explain(self, frame: Frame) -> Explanation:
        self.attempts.append(frame.index)
        if frame.index in self._broken:
            raise NonFiniteError("not finite.")
        return super().explain(frame)


def test_every_frame_is_shown_once_with_or_without_an_explanation() -> None:
    broken = (0, 3, 4, 39)
    schedule, recorded = start(EveryFrame, FakeSource(REGULAR), Fragile(*broken))
    shown = [one for one in play(schedule) if not one.waiting]
    schedule.close()
    assert [one.frame.index for one in shown] == list(range(40))
    assert [one.frame.index for one in shown if one.explanation is None] == list(broken)
    assert {index for index, _ in recorded} == {*range(40)} - {*broken}


def test_a_file_continues_after_an_unexplained_first_frame() -> None:
    schedule, recorded = start(NewestFirst, FakeSource(REGULAR), Fragile(0))
    shown = play(schedule)
    schedule.close()
    assert shown[0].waiting
    assert not shown[1].waiting
    indices = [one.frame.index for one in shown[1:]]
    # A busy machine skips frames.
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    assert indices[-1] > 0
    assert shown[1].explanation is None
    assert any(one.explanation for one in shown)
    assert 0 not in [index for index, _ in recorded]


def test_an_earlier_explanation_is_not_drawn_on_an_unexplained_frame() -> None:
    everything_after_10 = range(10, 40)
    schedule, _ = start(NewestFirst, FakeSource(REGULAR, live=True), Fragile(*everything_after_10))
    shown = play(schedule)
    schedule.close()
    assert any(one.explanation for one in shown)
    assert shown[-1].explanation is None


def test_a_still_frame_is_tried_only_once() -> None:
    explainer = Fragile(*range(40), settled=True)
    still = FakeSource(REGULAR, live=True, paint=lambda _: np.full((48, 64, 3), 9, np.uint8))
    schedule, _ = start(NewestFirst, still, explainer)
    play(schedule)
    schedule.close()
    assert len(explainer.attempts) == 1


def test_the_explainer_says_it_once_on_the_image_as_long_as_it_lasts_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages: list[str] = []
    outcomes = iter([None, "explained", None, None, "explained"])
    explain = HookEngine.explain

    def fail_at_times(engine: HookEngine, *arguments: Any) -> CAMResult:
        if next(outcomes) is None:
            raise NonFiniteError("the logits are not finite.")
        return explain(engine, *arguments)

    monkeypatch.setattr(HookEngine, "explain", fail_at_times)
    activities = []
    with Explainer(Settings(model=EMBEDDED_MODEL, engine="hook"), messages.append) as explainer:
        explainer.load()
        for index in range(5):
            frame = Frame(np.zeros((4, 4, 3), np.uint8), index, float(index))
            with suppress(NonFiniteError):
                explainer.explain(frame)
            activities.append(explainer.activity)
        explainer.check()

    failing = "no explanation: logits or gradients are not finite"
    assert activities == [failing, None, failing, failing, None]
    assert messages == [
        "Frame 0 is shown without an explanation: the logits are not finite.",
        "3 frames were shown without an explanation, and 2 with one.",
    ]
