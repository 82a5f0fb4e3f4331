from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.errors import CaptureError, UsageError
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.live.schedule import EveryFrame, NewestFirst
from tests.support.schedules import PATIENCE, REGULAR, FakeExplainer, play, start
from tests.support.sources import FakeSource


class TestNewestFirst:
    def test_a_slow_network_delays_neither_the_camera_nor_the_window(self) -> None:
        explainer = FakeExplainer(seconds=0.15)
        schedule, noted = start(NewestFirst, FakeSource(REGULAR, live=True), explainer)
        shown = play(schedule)
        schedule.close()
        indices = [one.frame.index for one in shown]
        assert indices == sorted(set(indices)), "each frame at most once, in order"
        assert indices[-1] == 39
        assert len(indices) > 3 * len(explainer.indices)
        assert explainer.indices == sorted(set(explainer.indices)), "no frame twice"
        assert noted == [(index, index) for index in explainer.indices]
        assert shown[0].explanation is None, "the first image does not wait for the network"
        ages = [one.frame.index - one.explanation.frame_index for one in shown if one.explanation]
        assert min(ages) >= 0, "no explanation from the future"

    def test_the_network_takes_the_newest_frame(self) -> None:
        newest: list[int] = []
        source = FakeSource(REGULAR, live=True)

        class Watching(FakeExplainer):
            def explain(self, frame: Frame) -> Explanation:
                newest.append(source.reads - 1 - frame.index)
                return super().explain(frame)

        schedule, _ = start(NewestFirst, source, Watching(seconds=0.1))
        play(schedule)
        schedule.close()
        # While one frame is read, `reads` counts it already: one behind it is the newest.
        assert max(newest) <= 2

    def test_a_file_waits_on_its_first_frame_for_the_explanation(self) -> None:
        explainer = FakeExplainer(seconds=0.2)
        schedule, _ = start(NewestFirst, FakeSource(REGULAR), explainer)
        shown = play(schedule)
        schedule.close()
        assert [one.frame.index for one in shown[:2]] == [0, 0]
        assert shown[0].explanation is None
        assert all(one.explanation is not None for one in shown[1:])
        assert shown[-1].frame.index == 39

    def test_a_frozen_frame_is_explained_once(self) -> None:
        explainer = FakeExplainer(seconds=0.05)
        schedule, _ = start(
            NewestFirst, FakeSource([index / 50 for index in range(500)], live=True), explainer
        )
        shown = play(schedule, until=lambda shown: len(shown) > 10)
        frozen = shown[-1].frame
        schedule.freeze(frozen)
        limit = time.monotonic() + PATIENCE
        while schedule.explanation is None or schedule.explanation.frame_index != frozen.index:
            assert schedule.next(0.01) is None, "no other frame while frozen"
            assert time.monotonic() < limit
        count = len(explainer.indices)
        assert schedule.next(0.2) is None
        assert len(explainer.indices) == count, "the frozen frame is explained once"
        schedule.thaw()
        (after,) = play(schedule, until=lambda shown: len(shown) == 1)
        schedule.close()
        assert after.frame.index > frozen.index + 5, "the camera was drained meanwhile"

    def test_a_frozen_file_resumes_at_the_same_frame(self) -> None:
        schedule, _ = start(NewestFirst, FakeSource(REGULAR), FakeExplainer())
        frozen = play(schedule, until=lambda shown: len(shown) > 10)[-1].frame
        schedule.freeze(frozen)
        time.sleep(0.5)
        schedule.thaw()
        following = play(schedule, until=lambda shown: len(shown) == 1)[0].frame
        schedule.close()
        assert following.index <= frozen.index + 3

    def test_an_unchanged_image_is_skipped_and_a_change_explained_immediately(self) -> None:
        def paint(index: int) -> NDArray[np.uint8]:
            return np.full((48, 64, 3), 200 if index >= 25 else 100, np.uint8)

        explainer = FakeExplainer(settled=True)
        source = FakeSource(REGULAR, live=True, paint=paint)
        schedule, noted = start(NewestFirst, source, explainer)
        states = []
        for _ in range(2):
            play(schedule, until=lambda shown: len(shown) == 12)
            states.append((schedule.still, schedule.saved))
        play(schedule)
        schedule.close()
        assert len(explainer.indices) == 2
        assert explainer.indices[1] == 25, "the first frame that shows something else"
        assert noted == [(index, index) for index in explainer.indices]
        assert states[0][0]
        assert states[0][1] < states[1][1] < schedule.saved
        assert len(explainer.repeated) == schedule.saved
        assert not set(explainer.repeated) & set(explainer.indices)

    def test_no_frame_is_skipped_before_the_engine_is_chosen(self) -> None:
        explainer = FakeExplainer(seconds=0.01, settled=False)
        still = FakeSource(REGULAR, live=True, paint=lambda _: np.zeros((48, 64, 3), np.uint8))
        schedule, _ = start(NewestFirst, still, explainer)
        play(schedule)
        schedule.close()
        assert len(explainer.indices) > 10
        assert schedule.saved == 0

    def test_failures_reach_the_main_thread(self) -> None:
        schedule, _ = start(NewestFirst, FakeSource(REGULAR, lost_at=3), FakeExplainer())
        with pytest.raises(CaptureError, match="lost"):
            play(schedule)
        schedule.close()
        failure = UsageError("no such class.")
        schedule, _ = start(NewestFirst, FakeSource(REGULAR), FakeExplainer(failure=failure))
        with pytest.raises(UsageError, match="no such class"):
            play(schedule)
        schedule.close()


@pytest.mark.parametrize("kind", [NewestFirst, EveryFrame])
def test_an_empty_source_ends(kind: type[NewestFirst | EveryFrame]) -> None:
    schedule, _ = start(kind, FakeSource([]), FakeExplainer())
    assert play(schedule) == []
    schedule.close()


class TestEveryFrame:
    def test_each_frame_once_in_order_with_its_own_explanation(self) -> None:
        schedule, noted = start(EveryFrame, FakeSource(REGULAR), FakeExplainer(seconds=0.005))
        shown = play(schedule)
        schedule.close()
        assert shown[0].explanation is None, "a preview while the network is loaded"
        assert [one.frame.index for one in shown[1:]] == list(range(40))
        assert all(
            one.explanation is not None and one.explanation.frame_index == one.frame.index
            for one in shown[1:]
        )
        assert noted == [(index, index) for index in range(40)]

    def test_freezing_loses_no_frame(self) -> None:
        schedule, _ = start(EveryFrame, FakeSource(REGULAR), FakeExplainer())
        before = play(schedule, until=lambda shown: len(shown) == 5)
        schedule.freeze(before[-1].frame)
        assert schedule.next(0.05) is None
        schedule.thaw()
        after = play(schedule)
        schedule.close()
        assert [one.frame.index for one in (before + after)[1:]] == list(range(40))

    def test_failures_reach_the_main_thread(self) -> None:
        schedule, _ = start(EveryFrame, FakeSource(REGULAR, lost_at=3), FakeExplainer())
        with pytest.raises(CaptureError, match="lost"):
            play(schedule)
        schedule.close()


@pytest.mark.parametrize("kind", [NewestFirst, EveryFrame])
def test_closing_early_ends_the_threads(kind: type[NewestFirst | EveryFrame]) -> None:
    before = threading.active_count()
    explainer = FakeExplainer()
    source = FakeSource([index / 50 for index in range(10_000)])
    schedule, _ = start(kind, source, explainer)
    schedule.close()
    schedule.close()
    assert source.closed.is_set()
    assert threading.active_count() == before
    assert not explainer.loaded.is_set(), "never asked to load"
