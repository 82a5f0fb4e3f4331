"""Metrics of networks and maps whose quality is known, and the metrics of torch-cam."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from live_cam.cam.metrics import area, ranks, step_counts
from live_cam.evaluation.curves import Curves
from live_cam.evaluation.evaluator import RANDOM, Evaluator, ImageMetrics
from live_cam.explain.batch import BatchExplainer
from live_cam.settings import METHODS, NetworkSettings, StillMethod
from tests.support.blocks import CLASSES, blocks, load_instead
from tests.support.classifiers import SIZE, network
from tests.support.networks import COLOUR_LABELS, COLOURS

PEERS: dict[StillMethod, str] = {
    "gradcam": "GradCAM",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
}
"""The methods shared with torch-cam, except Grad-CAM++: torch-cam 0.5.0 divides a copy of its
denominator instead of the denominator."""
TOLERANCE = 1e-3
SIDE = SIZE[0]


def nothing() -> None:
    pass


# ---- known answers -------------------------------------------------------------------------------


def dot(colour: str, x: int, y: int, side: int, size: int) -> NDArray[np.uint8]:
    """Return a coloured dot on grey, too small for its colour to survive the blur."""
    image = np.full((size, size, 3), 128, np.uint8)
    image[y : y + side, x : x + side] = COLOURS[colour]
    return image


def dots() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    places = random.integers(4, SIDE - 8, (6, 2))
    return [dot(list(COLOURS)[number % 3], x, y, 3, SIDE) for number, (x, y) in enumerate(places)]


def mean(results: list[ImageMetrics], method: str, metric: str) -> float:
    return float(np.mean([getattr(result.methods[method], metric) for result in results]))


def test_good_maps_have_low_deletion_and_high_insertion_areas(
    colours: BatchExplainer,
) -> None:
    with Evaluator(colours, METHODS, 10) as evaluator:
        results = [
            evaluator.measure(image, None, seed, nothing) for seed, image in enumerate(dots())
        ]
    for number, result in enumerate(results):
        assert result.explained.class_index == number % 3
        assert result.explained.probability > 0.9
        assert result.explained == result.top
    for method in METHODS:
        # 1/7 without any colour, and half of the first step.
        assert mean(results, method, "deletion_area") < 0.2, method
        assert mean(results, method, "insertion_area") > 0.8, method
        assert mean(results, method, "drop") < mean(results, RANDOM, "drop"), method
    assert 0.3 < mean(results, RANDOM, "deletion_area") < 0.8
    assert 0.3 < mean(results, RANDOM, "insertion_area") < 0.8
    assert all(result.methods[RANDOM].last_layer is None for result in results)


def test_a_constant_map_has_areas_of_one_half(colours: BatchExplainer) -> None:
    """Equally hot pixels are removed in reading order, the middle after half of them."""
    x = colours.prepare([dot("red", SIDE // 2 - 1, SIDE // 2 - 1, 3, SIDE)])
    counts = torch.tensor(step_counts(SIDE * SIDE, 20))
    curves = Curves(x, lambda batch: colours.logits(batch).softmax(dim=1)[:, 0], counts)
    rank = ranks(torch.full((1, SIDE, SIDE), 0.3))[0]
    for curve in (curves.deletion(rank), curves.insertion(rank)):
        assert float(area(curve[None], counts)) == pytest.approx(0.5, abs=0.1)


def test_one_step_measures_the_end_points_alone(colours: BatchExplainer) -> None:
    with Evaluator(colours, ("gradcam",), 1) as evaluator:
        metrics = evaluator.measure(dots()[0], None, 0, nothing).methods["gradcam"]
        assert evaluator.fractions == [0.0, 1.0]
    assert len(metrics.deletion) == len(metrics.insertion) == 2
    assert metrics.deletion[0] > 0.9
    assert metrics.deletion[1] == pytest.approx(1 / CLASSES, abs=0.01), "grey has no colour"


def test_only_a_class_agnostic_map_survives_a_randomised_last_layer(
    colours: BatchExplainer,
) -> None:
    with Evaluator(colours, METHODS, 1) as evaluator:
        results = [evaluator.measure(image, None, 0, nothing) for image in dots()]
    assert mean(results, "eigencam", "last_layer") == pytest.approx(1), "it ignores the class"
    for method in METHODS:
        if method != "eigencam":
            assert mean(results, method, "last_layer") < 0.5, method
        assert mean(results, method, "all_layers") < 0.7, method


def test_a_class_without_evidence_has_an_empty_map(colours: BatchExplainer) -> None:
    with Evaluator(colours, ("gradcam",), 1) as evaluator:
        result = evaluator.measure(dots()[0], 5, 0, nothing)
    assert result.explained.class_index == 5
    assert result.top.class_index == 0
    assert result.methods["gradcam"].empty
    assert result.methods["gradcam"].last_layer == 0
    assert not result.methods[RANDOM].empty


def test_methods_are_measured_in_the_given_order(colours: BatchExplainer) -> None:
    methods: tuple[StillMethod, ...] = ("scorecam", "layercam", "ablationcam", "gradcam")
    with Evaluator(colours, methods, 10) as evaluator:
        results = [evaluator.measure(image, None, 0, nothing) for image in dots()[:3]]
    with Evaluator(colours, ("gradcam",), 10) as evaluator:
        alone = [evaluator.measure(image, None, 0, nothing) for image in dots()[:3]]
    for result, expected in zip(results, alone, strict=True):
        assert tuple(result.methods) == (*methods, RANDOM)
        assert result.methods["gradcam"] == expected.methods["gradcam"]
    for method in methods:
        assert mean(results, method, "deletion_area") < 0.2, method
        assert mean(results, method, "insertion_area") > 0.8, method


@pytest.mark.usefixtures("small_network")
def test_the_maps_of_several_layers_are_measured_as_one() -> None:
    results = {}
    for more in ((), ("4",)):
        with BatchExplainer(NetworkSettings(), print, more_layers=more) as explainer:
            explainer.load()
            with Evaluator(explainer, ("gradcam", "layercam"), 4) as evaluator:
                results[more] = evaluator.measure(blocks(0), None, 0, nothing).methods
    one, two = results.values()
    for method in ("gradcam", "layercam"):
        assert one[method].kept != two[method].kept
        assert two[method].last_layer is not None
    assert one[RANDOM].insertion == two[RANDOM].insertion, "the noise stays as coarse"


def test_a_transformer_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    load_instead(monkeypatch, network("timm/vit_tiny_patch16_224"))
    with BatchExplainer(NetworkSettings(), print) as explainer:
        explainer.load()
        with Evaluator(explainer, ("gradcam", "eigencam"), 2) as evaluator:
            metrics = evaluator.measure(blocks(0), None, 0, nothing).methods
    assert metrics["eigencam"].last_layer == pytest.approx(1)
    for method in ("gradcam", "eigencam"):
        assert metrics[method].all_layers != pytest.approx(1, abs=0.1), method


def test_vgg19_with_planted_weights_is_measured(colour_weights: Path) -> None:
    with BatchExplainer(NetworkSettings(weights=colour_weights), print) as explainer:
        explainer.load()
        with Evaluator(explainer, ("gradcam",), 3) as evaluator:
            result = evaluator.measure(dot("green", 150, 160, 12, 224), None, 1, nothing)
    assert result.explained.label == COLOUR_LABELS["green"]
    metrics = result.methods["gradcam"]
    assert metrics.deletion == pytest.approx((1, 0.001, 0.001, 0.001), abs=0.01)
    assert metrics.insertion == pytest.approx((0.01, 1, 1, 1), abs=0.01)
    assert metrics.drop < 0.01
    assert metrics.last_layer == pytest.approx(0, abs=0.1)
    assert metrics.all_layers == pytest.approx(0, abs=0.5)


# ---- torch-cam -----------------------------------------------------------------------------------


class BeforeSoftmax:
    """Makes a torch-cam extractor explain the logit, as in the methods' papers.

    torch-cam's metric passes probabilities, whose gradients differ.
    """

    def __init__(self, extractor: Any) -> None:
        self.model = extractor.model
        self.fuse_cams = extractor.fuse_cams
        self._extractor = extractor
        self._hooks_off = extractor._hooks_off
        self._logits: list[Tensor] = []
        self._hook = extractor.model.register_forward_hook(
            lambda _module, _inputs, output: self._logits.append(output)
        )

    def __call__(self, class_index: list[int], _probabilities: Tensor) -> list[Tensor]:
        self._hook.remove()
        maps: list[Tensor] = self._extractor(class_index, self._logits[0])
        return maps


def torch_cam_metrics(
    explainer: BatchExplainer, images: list[NDArray[np.uint8]], method: StillMethod
) -> dict[str, float]:
    methods = pytest.importorskip("torchcam.methods")
    metrics = pytest.importorskip("torchcam.metrics")
    module, layer = explainer.classifier.module, explainer.classifier.layer
    module.requires_grad_(True)
    with getattr(methods, PEERS[method])(module, layer) as extractor:
        softmax = partial(torch.softmax, dim=-1)
        metric = metrics.ClassificationMetric(BeforeSoftmax(extractor), softmax)
        metric.update(explainer.prepare(images))
    module.requires_grad_(False)
    summary: dict[str, float] = metric.summary()
    return summary


def assert_equal_to_torch_cam(
    explainer: BatchExplainer, images: list[NDArray[np.uint8]]
) -> list[float]:
    with Evaluator(explainer, tuple(PEERS), 1) as evaluator:
        results = [evaluator.measure(image, None, 0, nothing).methods for image in images]
    drops = []
    for method in PEERS:
        expected = torch_cam_metrics(explainer, images, method)
        drops.append(float(np.mean([metrics[method].drop for metrics in results])))
        increase = np.mean([metrics[method].increase for metrics in results])
        assert drops[-1] == pytest.approx(expected["avg_drop"], abs=TOLERANCE), method
        assert increase == pytest.approx(expected["conf_increase"], abs=TOLERANCE), method
    return drops


@pytest.mark.usefixtures("small_network")
def test_drop_and_increase_equal_torch_cams_on_a_small_vgg() -> None:
    with BatchExplainer(NetworkSettings(), print) as explainer:
        explainer.load()
        drops = assert_equal_to_torch_cam(explainer, [blocks(seed) for seed in range(8)])
    assert min(drops) > 0.01, "the drops are large enough to compare"
    assert np.ptp(drops) > 0.01, "the methods differ"


def test_drop_and_increase_equal_torch_cams_on_photos(photos: dict[str, NDArray[np.uint8]]) -> None:
    with BatchExplainer(NetworkSettings(model="efficientnet_lite0"), print) as explainer:
        explainer.load()
        images = [photos["coffee"], photos["motorcycle_left"]]
        drops = assert_equal_to_torch_cam(explainer, images)
    assert min(drops) > 0.01
