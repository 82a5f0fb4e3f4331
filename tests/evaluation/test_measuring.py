"""Networks and maps of which it is known how good they are, and torch-cam's own figures."""

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
from live_cam.evaluation.measuring import RANDOM, Measured, Measuring
from live_cam.explain.batch import BatchExplainer
from live_cam.settings import METHODS, NetworkSettings
from tests.engines.classifiers import SIZE, network
from tests.evaluation.conftest import CLASSES, blocks, load_instead
from tests.networks import COLOUR_LABELS, COLOURS

PEERS = {"gradcam": "GradCAM", "xgradcam": "XGradCAM", "layercam": "LayerCAM"}
"""What torch-cam has, too. Its Grad-CAM++ (0.5.0) divides a copy of what it should divide."""
TOLERANCE = 1e-3
SIDE = SIZE[0]


def nothing() -> None:
    pass


# ---- known answers -------------------------------------------------------------------------------


def dot(colour: str, x: int, y: int, side: int, size: int) -> NDArray[np.uint8]:
    """A dot of colour on grey, too small for its colour to outlive the blur."""
    image = np.full((size, size, 3), 128, np.uint8)
    image[y : y + side, x : x + side] = COLOURS[colour]
    return image


def dots() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    places = random.integers(4, SIDE - 8, (6, 2))
    return [dot(list(COLOURS)[number % 3], x, y, 3, SIDE) for number, (x, y) in enumerate(places)]


def mean(found: list[Measured], method: str, figure: str) -> float:
    return float(np.mean([getattr(each.figures[method], figure) for each in found]))


def test_a_good_map_takes_the_colour_away_at_once_and_brings_it_back_at_once(
    colours: BatchExplainer,
) -> None:
    with Measuring(colours, METHODS, 10) as measuring:
        found = [measuring.measure(image, None, seed, nothing) for seed, image in enumerate(dots())]
    for number, each in enumerate(found):
        assert each.explained.class_index == number % 3
        assert each.explained.probability > 0.9
        assert each.explained == each.top
    for method in METHODS:
        # 1/7 for want of a colour, and half of the first step.
        assert mean(found, method, "deletion_area") < 0.2, method
        assert mean(found, method, "insertion_area") > 0.8, method
        assert mean(found, method, "drop") < mean(found, RANDOM, "drop"), method
    assert 0.3 < mean(found, RANDOM, "deletion_area") < 0.8
    assert 0.3 < mean(found, RANDOM, "insertion_area") < 0.8
    assert all(each.figures[RANDOM].last_layer is None for each in found)


def test_a_map_that_shows_nothing_is_neither_good_nor_bad(colours: BatchExplainer) -> None:
    """What is equally hot goes as one reads, so that the middle goes when half is gone."""
    x = colours.prepare([dot("red", SIDE // 2 - 1, SIDE // 2 - 1, 3, SIDE)])
    counts = torch.tensor(step_counts(SIDE * SIDE, 20))
    curves = Curves(x, lambda batch: colours.logits(batch).softmax(dim=1)[:, 0], counts)
    rank = ranks(torch.full((1, SIDE, SIDE), 0.3))[0]
    for curve in (curves.deletion(rank), curves.insertion(rank)):
        assert float(area(curve[None], counts)) == pytest.approx(0.5, abs=0.1)


def test_one_step_has_no_image_between(colours: BatchExplainer) -> None:
    with Measuring(colours, ("gradcam",), 1) as measuring:
        figures = measuring.measure(dots()[0], None, 0, nothing).figures["gradcam"]
        assert measuring.fractions == [0.0, 1.0]
    assert len(figures.deletion) == len(figures.insertion) == 2
    assert figures.deletion[0] > 0.9
    assert figures.deletion[1] == pytest.approx(1 / CLASSES, abs=0.01), "grey has no colour"


def test_a_map_that_needs_no_knowledge_stays_when_the_network_forgets(
    colours: BatchExplainer,
) -> None:
    with Measuring(colours, METHODS, 1) as measuring:
        found = [measuring.measure(image, None, 0, nothing) for image in dots()]
    assert mean(found, "eigencam", "last_layer") == pytest.approx(1), "it knows no class"
    for method in METHODS:
        if method != "eigencam":
            assert mean(found, method, "last_layer") < 0.5, method
        assert mean(found, method, "all_layers") < 0.7, method


def test_what_nothing_speaks_for_has_an_empty_map(colours: BatchExplainer) -> None:
    with Measuring(colours, ("gradcam",), 1) as measuring:
        found = measuring.measure(dots()[0], 5, 0, nothing)
    assert found.explained.class_index == 5
    assert found.top.class_index == 0
    assert found.figures["gradcam"].empty
    assert found.figures["gradcam"].last_layer == 0
    assert not found.figures[RANDOM].empty


def test_methods_are_measured_in_the_order_they_are_named(colours: BatchExplainer) -> None:
    methods = ("scorecam", "layercam", "ablationcam", "gradcam")
    with Measuring(colours, methods, 10) as measuring:
        found = [measuring.measure(image, None, 0, nothing) for image in dots()[:3]]
    with Measuring(colours, ("gradcam",), 10) as measuring:
        alone = [measuring.measure(image, None, 0, nothing) for image in dots()[:3]]
    for each, expected in zip(found, alone, strict=True):
        assert tuple(each.figures) == (*methods, RANDOM)
        assert each.figures["gradcam"] == expected.figures["gradcam"]
    for method in methods:
        assert mean(found, method, "deletion_area") < 0.2, method
        assert mean(found, method, "insertion_area") > 0.8, method


@pytest.mark.usefixtures("small_network")
def test_the_maps_of_several_layers_are_measured_as_one() -> None:
    found = {}
    for more in ((), ("4",)):
        with BatchExplainer(NetworkSettings(), print, more_layers=more) as explainer:
            explainer.load()
            with Measuring(explainer, ("gradcam", "layercam"), 4) as measuring:
                found[more] = measuring.measure(blocks(0), None, 0, nothing).figures
    one, two = found.values()
    for method in ("gradcam", "layercam"):
        assert one[method].kept != two[method].kept
        assert two[method].last_layer is not None
    assert one[RANDOM].insertion == two[RANDOM].insertion, "noise is as coarse as ever"


def test_a_transformer_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    load_instead(monkeypatch, network("timm/vit_tiny_patch16_224"))
    with BatchExplainer(NetworkSettings(), print) as explainer:
        explainer.load()
        with Measuring(explainer, ("gradcam", "eigencam"), 2) as measuring:
            figures = measuring.measure(blocks(0), None, 0, nothing).figures
    assert figures["eigencam"].last_layer == pytest.approx(1)
    for method in ("gradcam", "eigencam"):
        assert figures[method].all_layers != pytest.approx(1, abs=0.1), method


def test_a_true_vgg19_that_sees_colours(colour_weights: Path) -> None:
    with BatchExplainer(NetworkSettings(weights=colour_weights), print) as explainer:
        explainer.load()
        with Measuring(explainer, ("gradcam",), 3) as measuring:
            found = measuring.measure(dot("green", 150, 160, 12, 224), None, 1, nothing)
    assert found.explained.label == COLOUR_LABELS["green"]
    figures = found.figures["gradcam"]
    assert figures.deletion == pytest.approx((1, 0.001, 0.001, 0.001), abs=0.01)
    assert figures.insertion == pytest.approx((0.01, 1, 1, 1), abs=0.01)
    assert figures.drop < 0.01
    assert figures.last_layer == pytest.approx(0, abs=0.1)
    assert figures.all_layers == pytest.approx(0, abs=0.5)


# ---- torch-cam -----------------------------------------------------------------------------------


class BeforeSoftmax:
    """Has a torch-cam extractor explain the score before softmax, as the methods' papers do.

    Its metric hands it the probabilities, whose gradients are others.
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


def torch_cams_figures(
    explainer: BatchExplainer, images: list[NDArray[np.uint8]], method: str
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
    with Measuring(explainer, tuple(PEERS), 1) as measuring:
        found = [measuring.measure(image, None, 0, nothing).figures for image in images]
    drops = []
    for method in PEERS:
        expected = torch_cams_figures(explainer, images, method)
        drops.append(float(np.mean([each[method].drop for each in found])))
        increase = np.mean([each[method].increase for each in found])
        assert drops[-1] == pytest.approx(expected["avg_drop"], abs=TOLERANCE), method
        assert increase == pytest.approx(expected["conf_increase"], abs=TOLERANCE), method
    return drops


@pytest.mark.usefixtures("small_network")
def test_drop_and_increase_are_torch_cams_on_a_small_vgg() -> None:
    with BatchExplainer(NetworkSettings(), print) as explainer:
        explainer.load()
        drops = assert_equal_to_torch_cam(explainer, [blocks(seed) for seed in range(8)])
    assert min(drops) > 0.01, "there is something to compare"
    assert np.ptp(drops) > 0.01, "the methods differ"


def test_drop_and_increase_are_torch_cams_on_photos(photos: dict[str, NDArray[np.uint8]]) -> None:
    with BatchExplainer(NetworkSettings(model="efficientnet_lite0"), print) as explainer:
        explainer.load()
        images = [photos["coffee"], photos["motorcycle_left"]]
        drops = assert_equal_to_torch_cam(explainer, images)
    assert min(drops) > 0.01
