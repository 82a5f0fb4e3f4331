"""A GPU that fails, through the real explainer: the network stands for one on `cuda:0`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from live_cam.engines.hook import HookEngine
from live_cam.errors import EngineError, UnexplainedError
from live_cam.explain import loading
from live_cam.explain.explainer import Explainer
from live_cam.explain.loading import Loaded
from live_cam.frame import Frame
from live_cam.question import Question
from live_cam.settings import NetworkSettings, Settings
from tests.support.drivers import LOST, NO_MEMORY

GPU = torch.device("cuda", 0)
LITE = "efficientnet_lite0"


class Driver:
    """A driver between engine and device that fails as real ones do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gpu: Exception | None = None
        self.cpu: Exception | None = None
        self.devices: list[str] = []
        for name in ("explain", "evidence"):
            monkeypatch.setattr(HookEngine, name, self._watched(getattr(HookEngine, name)))

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(engine: HookEngine, *arguments: Any) -> Any:
            self.devices.append(engine.device)
            error = self.gpu if engine.device == "cuda:0" else self.cpu
            if error:
                raise error
            return method(engine, *arguments)

        return watched


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    load = loading.load_network

    def on_gpu(settings: NetworkSettings, *arguments: Any) -> Loaded:
        loaded = load(replace(settings, device="cpu"), *arguments)
        return loaded if settings.device == "cpu" else loaded._replace(device=GPU)

    monkeypatch.setattr(loading, "load_network", on_gpu)
    return Driver(monkeypatch)


def on_gpu(**changes: Any) -> Settings:
    # Without a GPU nothing computes in half precision, and no CUDA graph is captured.
    return Settings(model=LITE, engine="hook", precision="fp32", **changes)


@pytest.fixture
def frame(photos: dict[str, NDArray[np.uint8]]) -> Frame:
    return Frame(photos["coffee"], 0, 0.0)


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize("error", [LOST["cuda"], LOST["openvino"], NO_MEMORY["cuda"]])
def test_the_cpu_explains_the_same_frame_and_question(
    driver: Driver, frame: Frame, error: Exception, device: str
) -> None:
    sentences: list[str] = []
    begun: list[Question] = []

    def begin(_labels: tuple[str, ...]) -> Question:
        begun.append(Question(classes=(967,)))
        return begun[-1]

    with Explainer(on_gpu(device=device), sentences.append, begin) as explainer:
        explainer.load()
        assert explainer.explain(frame).class_index == 967
        assert explainer.engine == "hook cuda:0 fp32"
        explainer.question = Question(classes=(504,))
        driver.gpu = error
        assert explainer.explain(frame).class_index == 504, "the locked class stays"
        assert explainer.engine == "hook cpu fp32"
        assert explainer.warning is not None
        assert explainer.warning.startswith("Falling back to the CPU: ")
        assert explainer.activity is None
        count = driver.devices.count("cuda:0")
        explainer.explain(frame)
        assert driver.devices.count("cuda:0") == count, "the lost device is not used again"
    assert len(begun) == 1
    (sentence,) = sentences
    assert sentence.startswith("Falling back to the CPU: ")
    assert "\n" not in sentence


def test_a_gpu_that_fails_at_the_start(monkeypatch: pytest.MonkeyPatch, frame: Frame) -> None:
    """This torch has no CUDA driver: its exception is real."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    sentences: list[str] = []
    with Explainer(Settings(model=LITE, engine="hook"), sentences.append) as explainer:
        explainer.load()
        assert explainer.engine == "hook cpu fp32"
        assert explainer.explain(frame).label == "espresso"
    (sentence,) = sentences
    assert sentence.startswith("Falling back to the CPU: the device cuda:0 has failed (")


def test_a_named_gpu_that_fails_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        Explainer(Settings(model=LITE, engine="hook", device="cuda"), print) as explainer,
        pytest.raises(EngineError, match=r"the device cuda:0 has failed \("),
    ):
        explainer.load()


def test_an_unwatched_run_ends_if_every_engine_fails(driver: Driver, frame: Frame) -> None:
    for unwatched in ({"headless": True}, {"every_frame": True}):
        with Explainer(on_gpu(device="cpu", **unwatched), print) as explainer:
            explainer.load()
            driver.cpu = NO_MEMORY["cpu"]
            with pytest.raises(EngineError, match="no remaining engine") as ended:
                explainer.explain(frame)
            assert not isinstance(ended.value, UnexplainedError)
            assert "`model`" in str(ended.value)
            driver.cpu = None


def test_a_window_continues_and_retries_if_every_engine_fails(
    driver: Driver, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[-1])
    sentences: list[str] = []
    with Explainer(on_gpu(device="cpu"), sentences.append) as explainer:
        explainer.load()
        driver.cpu = NO_MEMORY["cpu"]
        for _ in range(3):
            assert not explained(explainer, frame)
        assert len(driver.devices) == 2, (
            "one attempt, another after freeing memory, and then a pause"
        )
        assert str(explainer.activity) == "no explanation: hook cpu fp32 has run out of memory"
        (sentence,) = sentences
        assert sentence.startswith(
            "Showing the image alone: no remaining engine can explain the image:"
        )
        clock.append(clock[-1] + 60.0)
        assert not explained(explainer, frame)
        assert (len(driver.devices), len(sentences)) == (4, 1)
        clock.append(clock[-1] + 60.0)
        driver.cpu = None
        assert explained(explainer, frame)
        assert not explainer.activity
        assert sentences[1:] == ["Explaining again with hook cpu fp32."]


def explained(explainer: Explainer, frame: Frame) -> bool:
    try:
        return explainer.explain(frame).label == "espresso"
    except UnexplainedError:
        return False


def test_a_bug_keeps_its_traceback(driver: Driver, frame: Frame) -> None:
    with Explainer(on_gpu(device="cpu"), print) as explainer:
        explainer.load()
        driver.cpu = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        with pytest.raises(RuntimeError, match="mat1"):
            explainer.explain(frame)
