"""Engines that fail while they explain: who steps in, what is said, what is never used again."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from live_cam.cam.gradcam import CAMResult, Evidence
from live_cam.engines.engine import Engine
from live_cam.engines.opening import Candidate
from live_cam.engines.selection import EngineSelector
from live_cam.errors import DeviceLostError, OutOfMemoryError
from live_cam.runtime.timing import StageTimer
from tests.support.drivers import LOST, NO_MEMORY

X = torch.zeros(3, 3, 8, 8)
IMAGE = np.zeros((8, 8, 3), np.uint8)
PATIENCE = 20.0


class FaultyEngine(Engine):
    """Takes a while, and raises what it is given once its time has come."""

    precision = "fp32"
    exact = True

    def __init__(self, name: str, device: str = "cpu", seconds: float = 0.0, most: int = 99):
        self.name = name
        self.device = device
        self.error: Exception | None = None
        self.calls = 0
        self.closed = 0
        self.opened = 0
        self._seconds = seconds
        self._most = most

    def open(self, *_: object) -> Engine:
        self.opened += 1
        return self

    def __call__(
        self,
        x: torch.Tensor,
        class_index: int | torch.Tensor | None = None,
        _timer: StageTimer | None = None,
    ) -> CAMResult:
        assert class_index is None or isinstance(class_index, int)
        self._work(len(x))
        maps = torch.arange(16.0).view(1, 4, 4).repeat(len(x), 1, 1)
        logits = torch.tensor([[0.0, 1.0]]).repeat(len(x), 1)
        return CAMResult(maps, logits, torch.ones(len(x), dtype=torch.long))

    def evidence(
        self, x: torch.Tensor, wanted: torch.Tensor, _timer: StageTimer | None = None
    ) -> Evidence:
        self._work(len(x) * len(wanted))
        activations = x[:, :1]
        gradients = (
            torch.stack([wanted.float()] * len(x))[:, :, None, None, None] + 0 * x[:, :1, None]
        )
        logits = torch.zeros(len(x), 9)
        return Evidence(activations, gradients, logits, torch.stack([wanted] * len(x)))

    def _work(self, parts: int) -> None:
        self.calls += 1
        time.sleep(self._seconds)
        if self.error:
            raise self.error
        if parts > self._most:
            raise NO_MEMORY["cuda"]

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        return self(x).logits

    def close(self) -> None:
        self.closed += 1


def selector_of(
    plain: FaultyEngine, *others: FaultyEngine, chosen: str = ""
) -> tuple[EngineSelector, list[str], list[str]]:
    said: list[str] = []
    warned: list[str] = []
    candidates = [Candidate(each.name, each.open, chosen=each.name == chosen) for each in others]
    selector = EngineSelector(plain.open, candidates, said.append, warned.append)
    settle(selector)
    return selector, said, warned


def settle(selector: EngineSelector) -> None:
    deadline = time.monotonic() + PATIENCE
    while not selector.settled:
        assert time.monotonic() < deadline
        selector.offer(X[:1], None, IMAGE)
        selector(X[:1])


@pytest.mark.parametrize(
    "error", [*LOST.values(), *NO_MEMORY.values(), RuntimeError("it does not know why")]
)
def test_the_same_frame_is_explained_by_the_plain_engine(error: Exception) -> None:
    plain = FaultyEngine("hook", seconds=0.02)
    fast = FaultyEngine("openvino", "gpu")
    selector, _, warned = selector_of(plain, fast)
    assert selector.engine is fast
    fast.error = error
    assert len(selector(X).cam) == 3
    assert selector.engine is plain
    assert fast.closed == 1
    (sentence,) = warned
    assert sentence.startswith("Going on with hook cpu fp32: ")
    assert sentence.endswith(").")


def test_what_is_left_takes_over_once_it_has_proved_itself() -> None:
    plain = FaultyEngine("hook", seconds=0.03)
    middle, fast = FaultyEngine("torch", seconds=0.01), FaultyEngine("openvino", "gpu")
    selector, said, _ = selector_of(plain, middle, fast)
    assert selector.engine is fast
    fast.error = LOST["openvino"]
    opened = fast.opened
    selector(X)
    assert selector.engine is plain
    assert not selector.settled
    settle(selector)
    assert selector.engine is middle
    assert said[-1].startswith("Explaining with torch cpu fp32: ")
    middle.error = RuntimeError("this one, too")
    selector(X)
    settle(selector)
    assert selector.engine is plain
    assert fast.opened == opened, "what has failed is not opened again"
    selector.close()


def test_what_was_asked_for_is_given_up_all_the_same() -> None:
    plain, chosen = FaultyEngine("hook"), FaultyEngine("openvino", seconds=0.01)
    selector, _, warned = selector_of(plain, chosen, chosen="openvino")
    assert selector.engine is chosen
    chosen.error = LOST["openvino"]
    evidence = selector.evidence(X, torch.tensor([4, 5]))
    assert evidence.classes.tolist() == [[4, 5]] * 3
    assert (selector.engine, len(warned)) == (plain, 1)


def test_one_that_fails_while_it_is_tried_is_not_used() -> None:
    plain, faulty = FaultyEngine("hook"), FaultyEngine("torch")
    faulty.error = RuntimeError("not here")
    selector, _, warned = selector_of(plain, faulty)
    assert selector.engine is plain
    assert warned == ["Not using torch cpu fp32: torch cpu fp32 has failed (not here)."]


def test_one_that_cannot_be_opened_is_named_where_it_was_asked_for() -> None:
    def fail(*_: object) -> Engine:
        raise NO_MEMORY["cuda"]

    plain, warned = FaultyEngine("hook"), list[str]()
    candidate = Candidate("torch", fail, chosen=True)
    selector = EngineSelector(plain.open, [candidate], print, warned.append)
    settle(selector)
    (sentence,) = warned
    assert sentence.startswith("Going on with hook cpu fp32: torch cannot be opened (CUDA out of")


def test_a_lost_device_is_not_asked_again() -> None:
    plain = FaultyEngine("hook", "cuda:0", seconds=0.02)
    fast = FaultyEngine("torch", "cuda:0")
    selector, _, _ = selector_of(plain, fast)
    asked = plain.calls
    fast.error = LOST["cuda"]
    with pytest.raises(DeviceLostError, match="cuda:0 has failed"):
        selector(X)
    assert plain.calls == asked


def test_a_device_that_is_lost_in_a_trial_is_not_asked_again() -> None:
    plain, fast = FaultyEngine("hook", "meta"), FaultyEngine("torch", "meta")
    selector = EngineSelector(plain.open, [Candidate("torch", fast.open)], print, print)
    fast.error = LOST["cuda"]
    x = torch.zeros(1, 3, 8, 8, device="meta")
    with pytest.raises(DeviceLostError):
        offer_all(selector, x)
    selector.close()


def offer_all(selector: EngineSelector, x: torch.Tensor) -> None:
    deadline = time.monotonic() + PATIENCE
    while not selector.settled:
        assert time.monotonic() < deadline
        selector.offer(x, None, IMAGE)


def test_memory_is_spared_before_an_engine_is_given_up() -> None:
    plain = FaultyEngine("hook", most=1)
    selector, _, warned = selector_of(plain)
    assert len(selector(X).cam) == 3
    evidence = selector.evidence(X, torch.tensor([4, 5]))
    assert evidence.gradients[:, :, 0, 0, 0].tolist() == [[4.0, 5.0]] * 3
    assert evidence.classes.tolist() == [[4, 5]] * 3
    (sentence,) = warned
    assert sentence.startswith("Going on with one image and class at a time: hook cpu fp32 has")
    assert plain.calls == 1 + 3 + 6, "and it is not tried again"


def test_memory_that_is_there_the_next_time_costs_nothing() -> None:
    plain = FaultyEngine("hook")
    selector, _, warned = selector_of(plain)
    errors = [NO_MEMORY["cpu"]]
    work = plain._work

    def fail_once(parts: int) -> None:
        if errors:
            raise errors.pop()
        work(parts)

    plain._work = fail_once  # type: ignore[method-assign]
    assert len(selector(X[:1]).cam) == 1
    assert warned == []


def test_without_memory_for_the_plain_engine_it_is_named() -> None:
    plain = FaultyEngine("hook", most=0)
    selector, _, _ = selector_of(plain)
    with pytest.raises(OutOfMemoryError, match="hook cpu fp32 has run out of memory"):
        selector(X)


def test_a_bug_in_the_plain_engine_is_not_hidden() -> None:
    plain = FaultyEngine("hook")
    selector, _, _ = selector_of(plain)
    plain.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1"):
        selector(X)
