"""Values that are not finite, zero gradients, networks of one class, frames of one pixel.

Most tests run the whole program except the window; warnings of numpy and Python are errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from live_cam.cam.gradcam import Evidence
from live_cam.cam.opening import open_cam
from live_cam.engines import int8, open_engine
from live_cam.errors import NonFiniteError
from live_cam.explain.heatmaps import heatmaps
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.geometry import Region
from live_cam.live.controls import Controls
from live_cam.live.pipeline import LivePipeline
from live_cam.live.schedule import Shown
from live_cam.look import VIEWS, Look
from live_cam.question import AGAINST, FOR, VERSUS, Question
from live_cam.settings import FITS, Settings
from tests.support import tiny
from tests.support.classifiers import as_classifier, images
from tests.support.flaws import (
    BLACK,
    WHITE,
    Change,
    checkpoint,
    folder,
    odd_images,
    overflowing_always,
    overflowing_on_white,
    plain,
    unresponsive,
)
from tests.support.networks import randomised, tiny_network
from tests.support.program import read_log, read_video, write_video

pytestmark = pytest.mark.filterwarnings(
    "error",
    # Raised by OpenVINO during the conversion.
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
)


@pytest.fixture(autouse=True, scope="module")
def setting() -> Iterator[None]:
    before = np.seterr(all="raise")
    with tiny.registered():
        yield
    np.seterr(**before)


class Watcher:
    """Changes the controls before each frame, and checks every value."""

    def __init__(
        self, pipeline: LivePipeline, scripts: Sequence[Mapping[str, object]] = ()
    ) -> None:
        self.images = 0
        self.explanations: list[Explanation] = []
        self._pipeline = pipeline
        self._scripts = iter(scripts)

    def shown(self, shown: Shown) -> None:
        self.images += not shown.waiting
        self._pipeline.change(partial(changed, changes=next(self._scripts, {})))

    def explained(self, _frame: Frame, explanation: Explanation) -> None:
        for heatmap in explanation.maps:
            assert np.isfinite(heatmap.values).all()
            assert np.abs(heatmap.values).max() <= 1
        predictions = [explanation.target, *explanation.top]
        assert all(0 <= prediction.probability <= 1 for prediction in predictions)
        self.explanations.append(explanation)


def changed(controls: Controls, changes: Mapping[str, object]) -> Controls:
    look = {name: value for name, value in changes.items() if name in Look.__dataclass_fields__}
    others: dict[str, Any] = {name: changes[name] for name in changes.keys() - look.keys()}
    return replace(controls.with_look(**look), **others)


def run(
    source: Path, weights: Path, scripts: Sequence[Mapping[str, object]] = (), **options: Any
) -> tuple[Watcher, list[str]]:
    messages: list[str] = []
    usual: dict[str, Any] = {"every_frame": True, "engine": "hook", "headless": True}
    settings = Settings(source=str(source), model=tiny.NAME, weights=weights, **usual | options)
    pipeline = LivePipeline(settings, messages.append)
    watcher = Watcher(pipeline, scripts)
    pipeline.observer = watcher
    pipeline.run()
    return watcher, messages


def everything() -> list[dict[str, object]]:
    """Return all states of the controls that keys and the mouse can reach."""
    box = Region(0.2, 0.2, 0.5, 0.5)
    states: list[dict[str, object]] = [
        {"view": view, "evidence": evidence, "check": check, "box": True, "target": box}
        for evidence, check in ((FOR, True), (AGAINST, False), (VERSUS, True))
        for view in VIEWS
    ]
    states += [{"view": view, "locked": (0,)} for view in VIEWS]
    return [*states, {"randomised": True, "evidence": FOR}, {"locked": ()}, {"mirror": True}]


@pytest.mark.parametrize(("classes", "fit"), list(zip((1, 2, 4), FITS, strict=True)))
def test_every_view_handles_few_classes_and_odd_frames(
    tmp_path: Path, classes: int, fit: str
) -> None:
    states = everything()
    source = odd_images(tmp_path / "pictures", len(states))
    weights = checkpoint(tmp_path / "few.pth", classes)

    watcher, messages = run(source, weights, states, fit=fit, track=False)

    assert watcher.images == len(watcher.explanations) == len(states)
    assert len(messages) == 1
    for explanation in watcher.explanations:
        assert len(explanation.top) == classes
        assert sum(each.probability for each in explanation.top) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_other_engines_handle_one_class_in_every_view(tmp_path: Path, engine: str) -> None:
    states = everything()[::3]
    source = odd_images(tmp_path / "pictures", len(states))
    weights = checkpoint(tmp_path / "one.pth", 1)

    watcher, _ = run(source, weights, states, engine=engine)

    assert len(watcher.explanations) == len(states)
    assert {explanation.label for explanation in watcher.explanations} == {"class 0"}


def test_a_network_of_one_class_has_no_rival(tmp_path: Path) -> None:
    source = folder(tmp_path / "pictures", [plain(200)] * 3)
    weights = checkpoint(tmp_path / "one.pth", 1)

    watcher, _ = run(source, weights, [{"evidence": VERSUS}] * 3)

    assert watcher.explanations[-1].maps[0].title == "gradcam · no rival"


@pytest.mark.parametrize("engine", ["hook", "torch"])
def test_zero_gradients_give_an_empty_heatmap(tmp_path: Path, engine: str) -> None:
    states: list[dict[str, object]] = [{"view": "overlay", "box": True}, {"view": "grid"}]
    source = folder(tmp_path / "pictures", [plain(WHITE), plain(BLACK), plain(99)])
    weights = checkpoint(tmp_path / "zero.pth", 3, unresponsive)

    watcher, _ = run(source, weights, states, engine=engine, check=1)

    assert len(watcher.explanations) == 3
    for explanation in watcher.explanations:
        assert explanation.heatmap.max() == 0


@pytest.mark.parametrize("engine", ["hook", "torch"])
@pytest.mark.parametrize("view", ["overlay", "grid"])
def test_frames_that_overflow_are_shown_and_recorded_without_a_heatmap(
    tmp_path: Path, engine: str, view: str
) -> None:
    levels = (BLACK, WHITE, BLACK, WHITE, WHITE, BLACK)
    source = folder(tmp_path / "pictures", [plain(level) for level in levels])
    weights = checkpoint(tmp_path / "overflow.pth", 3, overflowing_on_white)

    watcher, messages = run(
        source,
        weights,
        engine=engine,
        view=view,
        record=tmp_path / "out.mkv",
        predictions=tmp_path / "log.jsonl",
    )

    assert watcher.images == 6
    assert len(read_video(tmp_path / "out.mkv")) == 6
    assert [entry["frame"] for entry in read_log(tmp_path / "log.jsonl")] == [0, 2, 5]
    unexplained = [message for message in messages if "without an explanation" in message]
    assert len(unexplained) == 2
    assert unexplained[0].startswith("Frame 1 is shown")
    assert "not finite in fp32" in unexplained[0]
    assert unexplained[1].startswith("3 frames were shown without an explanation, and 3 with one")


def test_a_video_continues_after_a_first_frame_that_overflows(tmp_path: Path) -> None:
    levels = (WHITE, WHITE, *[BLACK] * 20)
    clip = write_video(tmp_path / "clip.mkv", [plain(level) for level in levels])
    weights = checkpoint(tmp_path / "overflow.pth", 3, overflowing_on_white)

    watcher, _ = run(clip, weights, every_frame=False, record=tmp_path / "out.mkv")

    assert watcher.explanations
    assert len(read_video(tmp_path / "out.mkv")) > 15


def overflowing_where_hidden(module: Any) -> None:
    """Overflow where the input is 0, as in a masked image, but not where the frame is white."""
    module[0].weight[0] = 0
    module[0].weight[0, :, 1, 1] = -1e20
    module[0].bias[0] = 1e20
    module[2].weight[:, 0] = 1e20


def test_explanations_continue_when_a_masked_image_overflows(tmp_path: Path) -> None:
    source = folder(tmp_path / "pictures", [plain(WHITE)] * 8)
    weights = checkpoint(tmp_path / "hidden.pth", 3, overflowing_where_hidden)

    watcher, _ = run(source, weights, check=1)

    assert watcher.images == 8
    assert len(watcher.explanations) == 4  # the others shared a batch with masked images
    assert not any(explanation.check for explanation in watcher.explanations)


def with_infinite_logits(module: Any) -> None:
    module[8].weight.mul_(1e35)


@pytest.mark.parametrize("change", [overflowing_always, with_infinite_logits])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_network_without_finite_outputs_fails_at_the_end(
    tmp_path: Path, change: Change, precision: str
) -> None:
    source = folder(tmp_path / "pictures", [plain(WHITE), plain(BLACK)])
    weights = checkpoint(tmp_path / "broken.pth", 3, change)

    with pytest.raises(NonFiniteError, match="weights") as caught:
        run(source, weights, precision=precision, record=tmp_path / "out.mkv")

    if precision == "fp16":
        assert "use `precision=fp32`" in str(caught.value)
    assert len(read_video(tmp_path / "out.mkv")) == 2


@pytest.mark.parametrize("engine", ["hook", "torch"])
def test_infinite_activations_are_rejected_even_with_finite_logits(
    engine: str,
) -> None:
    module = tiny_network()
    next(module.parameters()).fill_(3e38)
    module.insert(2, Clamp())
    x = torch.ones(1, 3, 96, 96)
    with open_engine(engine, as_classifier(module, "1")) as opened:
        assert torch.isfinite(opened.logits(x)).all()
        with pytest.raises(NonFiniteError):
            opened.explain(x, 0)
        with pytest.raises(NonFiniteError):
            opened.evidence(x, torch.tensor([0, -1]))


class Clamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(-1, 1)


@pytest.mark.parametrize(
    ("layers", "method"),
    [
        (["1"], "scorecam"),
        (["1"], "ablationcam"),
        (["1", "3"], "gradcam"),
        (["1", "3"], "scorecam"),
    ],
)
def test_infinite_activations_are_rejected_by_perturbation_and_at_several_layers(
    layers: list[str], method: str
) -> None:
    module = tiny_network()
    next(module.parameters()).fill_(3e38)
    module.insert(2, Clamp())
    with open_cam(module, layers, method) as cam, pytest.raises(NonFiniteError, match="not finite"):
        cam(torch.ones(2, 3, 96, 96), 0)


def test_evidence_whose_sum_overflows_is_rejected() -> None:
    question = Question((0,), feature_maps=2)
    large = torch.tensor([1e20, -1e20])[None, :, None, None].expand(1, 2, 4, 4)
    scores, classes = torch.zeros(1, 2), torch.tensor([[0]])
    for gradient in (1e5, 1e12):  # the two maps cancel each other out
        gradients = torch.full((1, 1, 2, 4, 4), gradient)
        evidence = Evidence(large, gradients, scores, classes)
        if gradient == 1e5:
            first, *maps = heatmaps(evidence, 0, question, ("cat", "dog"))
            assert not first.values.any()
            assert all(np.abs(each.values).max() == 1 for each in maps)
            continue
        with pytest.raises(NonFiniteError, match="class 0 is too large"):
            heatmaps(evidence, 0, question, ("cat", "dog"))


def test_int8_handles_one_class_and_zero_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(int8, "_IMAGES", 8)
    module = tiny.tiny(num_classes=1)
    randomised(module)
    unresponsive(module)

    with open_engine("openvino", as_classifier(module), precision="int8") as engine:
        for x in (images(), torch.zeros(1, 3, 96, 96)):
            result = engine.explain(x)
            evidence = engine.evidence(x, torch.tensor([-1, -1, -2]))
            assert result.logits.shape == (1, 1)
            assert torch.isfinite(result.logits).all()
            assert evidence.classes.tolist() == [[0, 0, 0]]
            assert result.cam.max() == 0
            assert evidence.gradients.abs().max() == 0
