"""Explanations and faults on a real NVIDIA GPU. Skipped without one."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from live_cam.engines import open_engine
from live_cam.errors import EngineError
from live_cam.explain.explainer import Explainer
from live_cam.frame import Frame
from live_cam.question import Question
from live_cam.settings import EngineChoice, Settings
from tests.support.classifiers import as_classifier, images, network
from tests.support.program import TIME_LIMIT

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

GPU = torch.device("cuda", 0)
LITE = "efficientnet_lite0"
PRECISIONS = ("fp32", "fp16", "bf16")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def frame(photos: dict[str, NDArray[np.uint8]]) -> Frame:
    return Frame(photos["coffee"], 0, 0.0)


@contextmanager
def full_memory() -> Iterator[None]:
    """Allow this process no more GPU memory: torch's exception is real."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-5)
    hoard = []
    try:
        for size in (2**power for power in range(28, 8, -1)):
            with suppress(torch.OutOfMemoryError):
                while True:
                    hoard.append(torch.empty(size, dtype=torch.uint8, device=GPU))
        yield
    finally:
        hoard.clear()
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.parametrize(
    ("architecture", "precision"),
    [
        *((name, number) for name in ("resnet18", "vit_b_16") for number in PRECISIONS),
        # Its random weights let 19 layers of bfloat16's roundings add up.
        *(("vgg19", number) for number in PRECISIONS[:2]),
    ],
)
def test_the_cuda_graph_has_the_maps_of_the_plain_engine(
    random_vgg19: nn.Module, architecture: str, precision: str
) -> None:
    if architecture == "vgg19":
        classifier = as_classifier(copy.deepcopy(random_vgg19), "features.35", "vgg19")
    else:
        classifier = network(architecture)
    classifier.module.to(GPU)
    x = images(1).to(GPU)
    with (
        open_engine("hook", classifier, precision="fp32", device=GPU) as plain,
        open_engine("torch", classifier, precision=precision, device=GPU) as engine,
    ):
        assert engine.description == f"torch cuda:0 {precision}"
        for shift in range(3):
            moved = x.roll(7 * shift, 3)
            expected, found = plain.explain(moved, 3), engine.explain(moved, 3)
            if precision == "fp32":
                most = float(expected.cam.max())
                assert float((expected.cam - found.cam).abs().max()) < 1e-4 * most
            both = torch.stack([expected.cam.flatten(), found.cam.flatten()])
            assert torch.corrcoef(both)[0, 1] > 0.99


def test_the_default_is_the_gpu_and_the_graph(frame: Frame) -> None:
    sentences: list[str] = []
    with Explainer(Settings(model=LITE), sentences.append) as explainer:
        explainer.load()
        assert explainer.engine == "hook cuda:0 fp16"
        while not explainer.settled:
            assert explainer.explain(frame).label == "espresso"
        assert explainer.explain(frame).label == "espresso"
        assert explainer.engine in ("hook cuda:0 fp16", "torch cuda:0 fp16")
        explainer.question = Question(classes=(504, 967))
        assert explainer.explain(frame).class_index == 504
    assert not any(sentence.startswith(("Falling back", "Not using")) for sentence in sentences)


def test_loading_falls_back_to_the_cpu_if_the_gpu_has_no_memory(frame: Frame) -> None:
    sentences: list[str] = []
    with (
        full_memory(),
        Explainer(Settings(model=LITE, engine="hook"), sentences.append) as explainer,
    ):
        explainer.load()
        assert explainer.engine == "hook cpu fp32"
        assert explainer.explain(frame).label == "espresso"
    (sentence,) = sentences
    assert sentence.startswith(f"Falling back to the CPU: loading {LITE} has run out of memory (")


def test_a_named_gpu_without_memory_is_an_error() -> None:
    with (
        full_memory(),
        Explainer(Settings(model=LITE, engine="hook", device="cuda"), print) as explainer,
        pytest.raises(EngineError, match="has run out of memory"),
    ):
        explainer.load()


@pytest.mark.parametrize("engine", ["hook", "torch"])
def test_memory_running_out_during_a_run(frame: Frame, engine: EngineChoice) -> None:
    sentences: list[str] = []
    with Explainer(Settings(model=LITE, engine=engine), sentences.append) as explainer:
        explainer.load()
        while not explainer.settled:
            explainer.explain(frame)
        assert explainer.engine == f"{engine} cuda:0 fp16"
        with full_memory():
            explainer.question = Question(classes=(504, 967, 5))
            assert explainer.explain(frame).class_index == 504
            assert explainer.engine.startswith("hook cpu fp32")
    assert sentences[-1].startswith("Falling back to the CPU: ")
    assert "has run out of memory" in sentences[-1]


_LOSE_IT = """
import sys
from contextlib import suppress

import torch

from live_cam.frame import Frame
from live_cam.explain.explainer import Explainer
from live_cam.runtime.opencv import cv2
from live_cam.settings import EngineChoice, Settings

frame = Frame(cv2.imread(sys.argv[1]), 0, 0.0)
with Explainer(Settings(model="efficientnet_lite0", engine=sys.argv[2]), print) as explainer:
    explainer.load()
    while not explainer.settled:
        explainer.explain(frame)
    print(explainer.engine)
    with suppress(RuntimeError):
        # An assertion on the device: no later call of this process succeeds.
        torch.zeros(1, device="cuda")[torch.tensor([9], device="cuda")].item()
    for _ in range(2):
        print(explainer.explain(frame).label, "by", explainer.engine)
"""


@pytest.mark.parametrize("engine", ["hook", "torch"])
def test_a_gpu_that_is_lost_for_good(photo_folder: Path, engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOSE_IT, photo_folder / "coffee.png", engine],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    *_, before, sentence, first, second = done.stdout.splitlines()
    assert before == f"{engine} cuda:0 fp16"
    assert sentence.startswith("Falling back to the CPU: the device cuda:0 has failed (CUDA error")
    assert first.startswith("espresso by hook cpu fp32")
    assert second.startswith("espresso by ")
    assert "cpu" in second
