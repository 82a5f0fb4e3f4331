from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from live_cam.cam.gradcam import CAMResult, Evidence
from live_cam.engines import trial
from live_cam.engines.candidates import Candidate
from live_cam.engines.engine import Engine
from live_cam.engines.selection import EngineSelector
from live_cam.errors import EngineError, NonFiniteError
from live_cam.runtime.timing import StageTimer

X = torch.zeros(1, 3, 8, 8)
IMAGE = np.zeros((8, 8, 3), np.uint8)
MAP = torch.arange(16.0).view(1, 4, 4)
PATIENCE = 20.0


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(trial, "time", clock)
    return clock


class FakeEngine(Engine):
    precision = "fp32"
    device = "cpu"

    def __init__(
        self,
        clock: Clock,
        name: str,
        seconds: float,
        cam: torch.Tensor = MAP,
        *,
        exact: bool = True,
        fails: bool = False,
    ) -> None:
        self.name = name
        self.exact = exact
        self.closed = 0
        self.explained: list[int | None] = []
        self._clock = clock
        self._seconds = seconds
        self._cam = cam
        self._fails = fails

    def explain(
        self,
        _x: torch.Tensor,
        class_index: int | torch.Tensor | None = None,
        _timer: StageTimer | None = None,
    ) -> CAMResult:
        assert isinstance(class_index, int | None)
        self._clock.now += self._seconds
        self.explained.append(class_index)
        if self._fails:
            raise NonFiniteError("not finite.")
        return CAMResult(self._cam, torch.tensor([[0.0, 1.0]]), torch.tensor([1]))

    def evidence(
        self, x: torch.Tensor, classes: torch.Tensor, timer: StageTimer | None = None
    ) -> Evidence:
        logits = self.explain(x, None, timer).logits
        maps = torch.ones(1, len(classes), 1, 2, 2)
        return Evidence(maps[:, 0], maps, logits, torch.ones(1, len(classes), dtype=torch.long))

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.explain(x).logits

    def close(self) -> None:
        self.closed += 1


def opens(engine: Engine) -> Callable[..., Engine]:
    return lambda _frames, _stop: engine


def settle(selector: EngineSelector) -> None:
    deadline = time.monotonic() + PATIENCE
    while not selector.settled:
        assert time.monotonic() < deadline
        selector.offer(X, None, IMAGE)
        selector.engine.explain(X, None, StageTimer())
        time.sleep(0.001)


def run(
    plain: Engine, *candidates: Candidate, patient: bool = False
) -> tuple[EngineSelector, list[str]]:
    sentences: list[str] = []
    selector = EngineSelector(
        lambda: plain, candidates, sentences.append, sentences.append, patient=patient
    )
    settle(selector)
    return selector, sentences


def test_the_fastest_engine_with_the_same_maps_takes_over(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.3)
    fast, slow = FakeEngine(clock, "torch", 0.1), FakeEngine(clock, "openvino", 0.2)
    selector, sentences = run(
        plain, Candidate("torch", opens(fast)), Candidate("openvino", opens(slow))
    )
    assert selector.engine is fast
    assert sentences == ["Explaining with torch cpu fp32: 100 ms a frame, hook cpu fp32 300 ms."]
    assert (plain.closed, slow.closed, fast.closed) == (1, 1, 0)
    selector.close()
    assert fast.closed == 1


def test_each_candidate_is_compared_with_the_present_engine(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.3)
    second, third = FakeEngine(clock, "torch", 0.2), FakeEngine(clock, "openvino", 0.1)
    selector, _ = run(plain, Candidate("torch", opens(second)), Candidate("openvino", opens(third)))
    assert selector.engine is third
    assert second.closed == 1


def test_a_slower_candidate_does_not_take_over(clock: Clock) -> None:
    plain, slow = FakeEngine(clock, "hook", 0.1), FakeEngine(clock, "torch", 0.2)
    selector, sentences = run(plain, Candidate("torch", opens(slow)))
    assert selector.engine is plain
    assert sentences == []
    assert plain.closed == 0


def test_an_exact_engine_with_other_maps_is_rejected(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.3)
    wrong = FakeEngine(clock, "torch", 0.1, MAP + 0.01)
    selector, sentences = run(plain, Candidate("torch", opens(wrong)))
    assert selector.engine is plain
    assert len(sentences) == 1
    assert "Not using torch cpu fp32: it differs from hook cpu fp32 by 6.7e-04" in sentences[0]
    assert wrong.closed == 1


def test_rounding_is_no_difference(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "torch", 0.1, MAP + 1e-5)
    assert run(plain, Candidate("torch", opens(fast)))[0].engine is fast


def test_a_named_engine_takes_over_although_it_is_slower(clock: Clock) -> None:
    plain, slow = FakeEngine(clock, "hook", 0.1), FakeEngine(clock, "torch", 0.2)
    assert run(plain, Candidate("torch", opens(slow), chosen=True))[0].engine is slow


def test_int8_takes_over_with_the_correlation_of_its_maps(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.1)
    noisy = MAP + torch.tensor([1.0, -1.0] * 8).view(1, 4, 4)
    rough = FakeEngine(clock, "openvino", 0.05, noisy, exact=False)
    selector, sentences = run(plain, Candidate("openvino int8", opens(rough), chosen=True))
    assert selector.engine is rough
    assert sentences[0].endswith("; the maps correlate 0.976.")


def test_a_named_engine_with_garbage_maps_is_rejected(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.1)
    garbage = FakeEngine(clock, "openvino", 0.05, MAP.flip(1, 2), exact=False)
    selector, sentences = run(plain, Candidate("openvino int8", opens(garbage), chosen=True))
    assert selector.engine is plain
    assert "its maps correlate only" in sentences[0]


def test_a_candidate_that_fails_on_a_frame_is_rejected(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.1)
    failing = FakeEngine(clock, "torch", 0.05, fails=True)
    selector, sentences = run(plain, Candidate("torch", opens(failing)))
    assert selector.engine is plain
    assert sentences == ["Not using torch cpu fp32: not finite."]
    assert failing.closed == 1


def fail(_frames: object, _stop: object) -> Engine:
    raise EngineError("it is not here.")


def test_a_candidate_that_cannot_be_opened_is_skipped_silently(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "torch", 0.1)
    selector, sentences = run(plain, Candidate("openvino", fail), Candidate("torch", opens(fast)))
    assert selector.engine is fast
    assert len(sentences) == 1


def test_a_named_engine_that_cannot_be_opened_is_reported(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.3)
    selector, sentences = run(plain, Candidate("openvino", fail, chosen=True))
    assert selector.engine is plain
    assert sentences == ["Staying with hook cpu fp32: it is not here."]


def test_a_bug_in_an_engine_is_not_hidden(clock: Clock) -> None:
    def broken(_frames: object, _stop: object) -> Engine:
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        run(FakeEngine(clock, "hook", 0.3), Candidate("torch", broken))


def test_every_engine_explains_the_class_of_the_plain_one(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "torch", 0.1)
    run(plain, Candidate("torch", opens(fast)))
    assert set(fast.explained[1:4]) == {1}


def test_frames_are_kept_for_calibration(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "openvino", 0.1)
    given: list[int] = []

    def calibrated(frames: Sequence[NDArray[np.uint8]], _stop: threading.Event) -> Engine:
        given.append(len(frames))
        return fast

    selector, _ = run(plain, Candidate("openvino int8", calibrated, chosen=True, frames=5))
    assert selector.engine is fast
    assert given[0] >= 5


def test_a_patient_selector_settles_before_the_first_frame(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "openvino", 0.1)
    candidate = Candidate("openvino int8", opens(fast), chosen=True, frames=5)
    selector = EngineSelector(lambda: plain, [candidate], print, print, patient=True)
    selector.offer(X, None, IMAGE)
    selector.engine.explain(X, None, StageTimer())
    assert selector.settled
    assert selector.engine is fast
    assert fast.explained[-1] is None


def test_the_description_names_the_engine_in_preparation(clock: Clock) -> None:
    plain, fast = FakeEngine(clock, "hook", 0.3), FakeEngine(clock, "openvino", 0.1)
    selector, _ = run(plain, Candidate("openvino int8", opens(fast), chosen=True))
    assert selector.description == "openvino cpu fp32"
    waiting = EngineSelector(
        lambda: plain,
        [Candidate("openvino int8", opens(fast), chosen=True, frames=9)],
        print,
        print,
    )
    assert waiting.description == "hook cpu fp32 (preparing openvino int8…)"
    waiting.close()


def test_closing_while_one_is_being_opened(clock: Clock) -> None:
    began = threading.Event()

    def slow(_frames: object, stop: threading.Event) -> Engine:
        began.set()
        assert stop.wait(PATIENCE)
        raise EngineError("stopped.")

    sentences: list[str] = []
    plain = FakeEngine(clock, "hook", 0.3)
    selector = EngineSelector(
        lambda: plain, [Candidate("a", slow, chosen=True)], sentences.append, sentences.append
    )
    assert began.wait(PATIENCE)
    selector.close()
    selector.close()
    assert plain.closed >= 1
    assert sentences == []


def test_without_candidates_the_plain_engine_explains(clock: Clock) -> None:
    plain = FakeEngine(clock, "hook", 0.1)
    selector = EngineSelector(lambda: plain, [], print, print)
    assert selector.settled
    assert selector.engine.explain(X, None, StageTimer()).cam is MAP
    selector.close()
