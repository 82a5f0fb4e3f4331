"""Engines that fail while they explain: the fallback, its sentence, and what is not used again."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from live_cam.cam.gradcam import CAMResult, Evidence
from live_cam.engines.candidates import Candidate
from live_cam.engines.engine import Engine
from live_cam.engines.selection import EngineSelector
from live_cam.errors import DeviceLostError, OutOfMemoryError
from live_cam.explain.core import ExplanationCore
from live_cam.explain.loading import Loaded
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.network.preprocess import Preprocessor
from live_cam.question import TOP_CLASS, Question
from live_cam.runtime.timing import StageTimer
from live_cam.settings import NetworkSettings
from tests.support.classifiers import as_classifier
from tests.support.drivers import LOST, NO_MEMORY
from tests.support.networks import tiny_network

IMAGE = np.full((8, 8, 3), 255, np.uint8)
"""Makes an input of ones."""
CLASSIFIER = as_classifier(tiny_network(), "1")
CLASSES = len(CLASSIFIER.labels)
PATIENCE = 20.0


class FaultyEngine(Engine):
    """An engine that takes a given time, and raises the error that it is given."""

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

    def explain(
        self,
        x: torch.Tensor,
        class_index: int | torch.Tensor | None = None,
        _timer: StageTimer | None = None,
    ) -> CAMResult:
        assert class_index is None or isinstance(class_index, int)
        self._work(len(x))
        maps = torch.arange(16.0).view(1, 4, 4).repeat(len(x), 1, 1)
        logits = torch.arange(float(CLASSES)).roll(2).repeat(len(x), 1)
        return CAMResult(maps, logits, torch.ones(len(x), dtype=torch.long))

    def evidence(
        self, x: torch.Tensor, classes: torch.Tensor, _timer: StageTimer | None = None
    ) -> Evidence:
        self._work(len(x) * len(classes))
        activations = x[:, :1]
        gradients = (
            torch.stack([classes.float()] * len(x))[:, :, None, None, None] + 0 * x[:, :1, None]
        )
        logits = torch.zeros(len(x), CLASSES)
        return Evidence(activations, gradients, logits, torch.stack([classes] * len(x)))

    def _work(self, parts: int) -> None:
        self.calls += 1
        time.sleep(self._seconds)
        if self.error:
            raise self.error
        if parts > self._most:
            raise NO_MEMORY["cuda"]

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.explain(x).logits

    def close(self) -> None:
        self.closed += 1


class Core:
    """The core of every explanation, with these engines."""

    def __init__(
        self, plain: FaultyEngine, *others: FaultyEngine, chosen: str = "", device: str = "cpu"
    ) -> None:
        self.notified: list[str] = []
        self.warned: list[str] = []
        candidates = [
            Candidate(each.name, each.open, chosen=each.name == chosen) for each in others
        ]
        self.selector = EngineSelector(
            plain.open, candidates, self.notified.append, self.warned.append
        )
        on = torch.device(device)
        preprocess = Preprocessor((8, 8), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), on)
        self._core = ExplanationCore(
            NetworkSettings(),
            lambda *_: self.selector,
            self.notified.append,
            network=Loaded(CLASSIFIER, preprocess, on),
        )
        self._core.load()

    def explain(self, count: int, *classes: int) -> list[Explanation]:
        frames = [Frame(IMAGE, index, 0.0) for index in range(count)]
        return self._core.explain(frames, Question(classes or (TOP_CLASS,))).explanations

    def settle(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.selector.settled:
            assert time.monotonic() < deadline
            self.explain(1)


def settled_core(plain: FaultyEngine, *others: FaultyEngine, chosen: str = "") -> Core:
    core = Core(plain, *others, chosen=chosen)
    core.settle()
    return core


@pytest.mark.parametrize(
    "error", [*LOST.values(), *NO_MEMORY.values(), RuntimeError("it does not know why")]
)
def test_the_plain_engine_explains_the_frame_of_a_failed_one(error: Exception) -> None:
    plain = FaultyEngine("hook", seconds=0.02)
    fast = FaultyEngine("openvino", "gpu")
    core = settled_core(plain, fast)
    assert core.selector.engine is fast
    fast.error = error
    assert len(core.explain(3)) == 3
    assert core.selector.engine is plain
    assert fast.closed == 1
    (sentence,) = core.warned
    assert sentence.startswith("Falling back to hook cpu fp32: ")
    assert sentence.endswith(").")


def test_a_remaining_candidate_takes_over_after_its_trial() -> None:
    plain = FaultyEngine("hook", seconds=0.03)
    middle, fast = FaultyEngine("torch", seconds=0.01), FaultyEngine("openvino", "gpu")
    core = settled_core(plain, middle, fast)
    assert core.selector.engine is fast
    fast.error = LOST["openvino"]
    opened = fast.opened
    core.explain(3)
    assert core.selector.engine is plain
    assert not core.selector.settled
    core.settle()
    assert core.selector.engine is middle
    assert core.notified[-1].startswith("Explaining with torch cpu fp32: ")
    middle.error = RuntimeError("this one, too")
    core.explain(3)
    core.settle()
    assert core.selector.engine is plain
    assert fast.opened == opened, "a failed engine is not opened again"
    core.selector.close()


def test_a_named_engine_that_fails_is_given_up() -> None:
    plain, chosen = FaultyEngine("hook"), FaultyEngine("openvino", seconds=0.01)
    core = settled_core(plain, chosen, chosen="openvino")
    assert core.selector.engine is chosen
    chosen.error = LOST["openvino"]
    assert explained_classes(core.explain(3, 4, 5)) == [[4, 5]] * 3
    assert (core.selector.engine, len(core.warned)) == (plain, 1)


def explained_classes(explanations: list[Explanation]) -> list[list[int]]:
    return [[each.target.class_index for each in one.maps] for one in explanations]


def test_a_candidate_that_fails_in_its_trial_is_rejected() -> None:
    plain, faulty = FaultyEngine("hook"), FaultyEngine("torch")
    faulty.error = RuntimeError("not here")
    core = settled_core(plain, faulty)
    assert core.selector.engine is plain
    assert core.warned == ["Not using torch cpu fp32: torch cpu fp32 has failed (not here)."]


def test_a_named_engine_that_runs_out_of_memory_while_opening_is_reported() -> None:
    def fail(*_: object) -> Engine:
        raise NO_MEMORY["cuda"]

    plain, torch_engine = FaultyEngine("hook"), FaultyEngine("torch")
    torch_engine.open = fail  # type: ignore[method-assign]
    core = settled_core(plain, torch_engine, chosen="torch")
    (sentence,) = core.warned
    assert sentence.startswith("Staying with hook cpu fp32: torch cannot be opened (CUDA out of")


def test_a_lost_device_is_not_used_again() -> None:
    plain = FaultyEngine("hook", "cuda:0", seconds=0.02)
    fast = FaultyEngine("torch", "cuda:0")
    core = settled_core(plain, fast)
    calls = plain.calls
    fast.error = LOST["cuda"]
    with pytest.raises(DeviceLostError, match="cuda:0 has failed"):
        core.explain(3)
    assert plain.calls == calls


def test_a_device_that_is_lost_in_a_trial_is_not_used_again() -> None:
    plain, fast = FaultyEngine("hook", "meta"), FaultyEngine("torch", "meta")
    core = Core(plain, fast, device="meta")
    fast.error = LOST["cuda"]
    with pytest.raises(DeviceLostError):
        core.settle()
    core.selector.close()


def test_one_image_and_class_at_a_time_before_an_engine_is_given_up() -> None:
    plain = FaultyEngine("hook", most=1)
    core = settled_core(plain)
    assert len(core.explain(3)) == 3
    explanations = core.explain(3, 4, 5)
    # The gradient of a class is its index here, and the activation is 1.
    assert [[each.strength for each in one.maps] for one in explanations] == [[4.0, 5.0]] * 3
    assert explained_classes(explanations) == [[4, 5]] * 3
    (sentence,) = core.warned
    assert sentence.startswith("Falling back to one image and class at a time: hook cpu fp32 has")
    assert plain.calls == 1 + 3 + 6, "the saving mode stays"


def test_freed_memory_is_enough_for_the_same_engine() -> None:
    plain = FaultyEngine("hook")
    core = settled_core(plain)
    errors = [NO_MEMORY["cpu"]]
    work = plain._work

    def fail_once(parts: int) -> None:
        if errors:
            raise errors.pop()
        work(parts)

    plain._work = fail_once  # type: ignore[method-assign]
    assert len(core.explain(1)) == 1
    assert core.warned == []


def test_running_out_of_memory_on_the_plain_engine_is_an_error() -> None:
    core = settled_core(FaultyEngine("hook", most=0))
    with pytest.raises(OutOfMemoryError, match="hook cpu fp32 has run out of memory"):
        core.explain(3)


def test_a_bug_in_the_plain_engine_is_not_hidden() -> None:
    plain = FaultyEngine("hook")
    core = settled_core(plain)
    plain.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1"):
        core.explain(3)
