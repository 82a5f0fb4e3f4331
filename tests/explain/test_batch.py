from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from live_cam.cam.gradcam import CAMResult
from live_cam.cam.opening import open_cam
from live_cam.engines.hook import HookEngine
from live_cam.errors import EngineError, UsageError
from live_cam.explain import batch_size as memory
from live_cam.explain import loading
from live_cam.explain.batch import BatchExplainer
from live_cam.explain.batch_size import room_for
from live_cam.explain.explainer import Explainer
from live_cam.explain.loading import Loaded, load_network
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.overlay import peak, to_frame
from live_cam.question import AGAINST, FOR, VERSUS, EvidenceKind, Question
from live_cam.settings import METHODS, EngineChoice, NetworkSettings, Settings, StillMethod
from tests.support.drivers import LOST, NO_MEMORY
from tests.support.networks import COLOUR_CLASSES, COLOUR_LABELS, COLOURS

PLACES = {"red": (60, 60), "green": (200, 100), "blue": (100, 180)}
"""The middle of each colour's patch, (x, y)."""
SIDE = 90
OBJECTS = {
    "chelsea": ("tabby", "tiger cat", "Egyptian cat"),
    "coffee": ("espresso",),
    "rocket": ("missile",),
    "motorcycle_left": ("moped",),
}


def patch(name: str) -> NDArray[np.uint8]:
    image = np.full((240, 320, 3), 128, np.uint8)
    x, y = (each - SIDE // 2 for each in PLACES[name])
    image[y : y + SIDE, x : x + SIDE] = COLOURS[name]
    return image


@pytest.fixture(scope="module")
def colours(colour_weights: Path) -> Iterator[BatchExplainer]:
    with BatchExplainer(NetworkSettings(weights=colour_weights), print) as explainer:
        explainer.load()
        yield explainer


@pytest.fixture
def objects() -> Iterator[BatchExplainer]:
    settings = NetworkSettings(model="efficientnet_lite0")
    with BatchExplainer(settings, print, batch=4) as explainer:
        explainer.load()
        yield explainer


def test_each_image_of_a_batch_is_explained_by_itself(colours: BatchExplainer) -> None:
    explanations = colours.explain([patch(name) for name in COLOURS], Question())
    for name, each in zip(COLOURS, explanations, strict=True):
        assert each.label == COLOUR_LABELS[name]
        assert each.probability > 0.9
        rows, columns = np.nonzero(to_frame(each.heatmap, 320, 240) > 0.5)
        # Pooling moves what it finds by up to a cell, 23 pixels.
        assert abs(columns.mean() - PLACES[name][0]) < 23
        assert abs(rows.mean() - PLACES[name][1]) < 23
        assert each.heatmap.max() == 1
    assert [each.frame_index for each in explanations] == [0, 1, 2]


@pytest.mark.parametrize("evidence", [FOR, AGAINST, VERSUS])
def test_a_batch_has_the_explanations_of_single_images(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], evidence: EvidenceKind
) -> None:
    images = list(photos.values())
    question = Question((-1, 967, -2), METHODS[:3], evidence, feature_maps=4)
    for one, alone in zip(
        objects.explain(images, question),
        (objects.explain([image], question)[0] for image in images),
        strict=True,
    ):
        assert one.label == alone.label
        assert one.probability == pytest.approx(alone.probability, abs=1e-4)
        assert one.maps[0].strength == pytest.approx(alone.maps[0].strength, rel=1e-3)
        np.testing.assert_allclose(one.heatmap, alone.heatmap, atol=1e-3)
        assert [each.title for each in one.maps] == [each.title for each in alone.maps]
        for other, other_alone in zip(one.maps, alone.maps, strict=True):
            np.testing.assert_allclose(other.values, other_alone.values, atol=1e-3)


def test_a_batch_has_the_explanations_of_the_live_loop(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]]
) -> None:
    settings = Settings(model="efficientnet_lite0", engine="hook", every_frame=True)
    with Explainer(settings, print) as live:
        live.load()
        for image, explanation in zip(
            photos.values(), objects.explain(list(photos.values()), Question()), strict=True
        ):
            expected = live.explain(Frame(image, 0, 0.0))
            assert explanation.label == expected.label
            np.testing.assert_allclose(explanation.heatmap, expected.heatmap, atol=1e-3)


def test_real_photos_get_their_names(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]]
) -> None:
    explanations = objects.explain(list(photos.values()), Question())
    for name, each in zip(photos, explanations, strict=True):
        assert each.label == each.top[0].label
        assert len(each.top) == 5
        likeliest = [one.label for one in each.top[: 2 if name == "rocket" else 1]]
        assert set(likeliest) & set(OBJECTS[name])


def test_the_seen_region_follows_from_the_fit(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    settings = NetworkSettings(model="efficientnet_lite0", fit="crop")
    with BatchExplainer(settings, print) as explainer:
        explainer.load()
        wide, high = photos["coffee"], np.rot90(photos["coffee"]).copy()
        explanations = explainer.explain([wide, high], Question())
    height, width = wide.shape[:2]
    assert explanations[0].seen.width == pytest.approx(height / width, abs=0.01)
    assert explanations[0].seen.height == 1
    assert explanations[1].seen.height == pytest.approx(height / width, abs=0.01)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_any_engine_explains_a_batch(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], engine: EngineChoice
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    images = list(photos.values())
    settings = NetworkSettings(model="efficientnet_lite0", engine=engine)
    with BatchExplainer(settings, print, batch=3) as explainer:
        explainer.load()
        assert explainer.engine.name == engine
        for explanation, plain in zip(
            explainer.explain(images, Question()), objects.explain(images, Question()), strict=True
        ):
            assert explanation.label == plain.label
            np.testing.assert_allclose(explanation.heatmap, plain.heatmap, atol=2e-3)


Explain = Callable[..., CAMResult]


def starve(monkeypatch: pytest.MonkeyPatch, room: int, message: str) -> list[int]:
    """Let the engine run out of memory where there are more images than `room`."""
    explain: Explain = HookEngine.explain
    sizes: list[int] = []

    def limited(self: HookEngine, x: Tensor, *arguments: object) -> CAMResult:
        sizes.append(len(x))
        if len(x) > room:
            raise RuntimeError(message)
        return explain(self, x, *arguments)

    monkeypatch.setattr(HookEngine, "explain", limited)
    return sizes


def test_the_batch_is_halved_if_memory_runs_out(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = starve(monkeypatch, 1, "CUDA out of memory. Tried to allocate 2.00 GiB")
    explanations = objects.explain(list(photos.values()), Question())
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert [each.label for each in explanations[1::2]] == ["espresso", "moped"]
    objects.explain([photos["coffee"]] * 2, Question())
    assert sizes[6:] == [1, 1], "the batch size stays halved"


def test_running_out_of_memory_with_one_image_is_an_error(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    starve(monkeypatch, 0, "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
    with pytest.raises(EngineError, match="no memory for even one image"):
        objects.explain([photos["coffee"]], Question())


def test_another_failure_does_not_halve_the_batch(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    starve(monkeypatch, 0, "something else")
    with pytest.raises(RuntimeError, match="something else"):
        objects.explain([photos["coffee"]], Question())


def test_logits_are_those_of_the_explanations_for_any_batch_size(
    objects: BatchExplainer, photos: dict[str, NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(photos.values())
    expected = [each.probability for each in objects.explain(images, Question())]
    score: Callable[..., Tensor] = HookEngine.logits
    sizes: list[int] = []

    def limited(self: HookEngine, x: Tensor) -> Tensor:
        sizes.append(len(x))
        if len(x) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return score(self, x)

    monkeypatch.setattr(HookEngine, "logits", limited)
    x = objects.prepare([*images, images[0]])
    found = objects.logits(x).softmax(dim=1).amax(dim=1)
    np.testing.assert_allclose(found, [*expected, expected[0]], atol=1e-4)
    assert sizes == [4, 2, 2, 1]


def test_the_batch_fits_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, pixels = torch.device("cpu"), 224 * 224
    for free, expected in ((10**6, 1), (6 * 10**8, 3), (10**12, 8), (None, 8)):
        monkeypatch.setattr(
            "live_cam.explain.batch_size._free_memory", lambda _device, free=free: free
        )
        assert room_for(pixels, cpu) == expected


def test_explaining_before_loading_is_an_error() -> None:
    explainer = BatchExplainer(NetworkSettings(model="efficientnet_lite0"), print)
    with pytest.raises(RuntimeError, match="load"):
        explainer.explain([np.zeros((4, 4, 3), np.uint8)], Question())
    explainer.close()


def test_an_explanation_splits_into_one_for_each_class(colours: BatchExplainer) -> None:
    image = np.hstack([patch("red"), patch("green")])
    question = Question((COLOUR_CLASSES["green"], COLOUR_CLASSES["red"]), ("hirescam",))
    (explanation,) = colours.explain([image], question)
    each: tuple[Explanation, ...] = explanation.split_by_class()
    assert [one.label for one in each] == [COLOUR_LABELS["green"], COLOUR_LABELS["red"]]
    assert [one.maps[0].title for one in each] == ["hirescam", "hirescam"]
    assert sum(one.probability for one in each) == pytest.approx(1, abs=0.01)
    assert [peak(one.heatmap, 640, 240)[0] > 320 for one in each] == [True, False]
    assert all(len(one.maps) == 1 for one in each)


LAYER, HIGHER = "blocks.0", "blocks.1"
"""With 16 and 24 feature maps, which are perturbed quickly."""


@pytest.mark.parametrize(
    ("method", "more_layers"),
    [("scorecam", ()), ("ablationcam", (HIGHER,)), ("gradcam", (HIGHER,))],
)
def test_perturbation_methods_and_several_layers(
    photos: dict[str, NDArray[np.uint8]], method: StillMethod, more_layers: tuple[str, ...]
) -> None:
    settings = NetworkSettings(model="efficientnet_lite0", layer=LAYER)
    images = [photos["coffee"], photos["chelsea"]]
    shares: list[float] = []
    with BatchExplainer(
        settings, print, batch=8, more_layers=more_layers, progress=shares.append
    ) as explainer:
        explainer.load()
        assert explainer.layers == (LAYER, *more_layers)
        question = Question((967, 285), (method,))
        explanations = explainer.explain(images, question)
        plain = explainer.explain(images[:1], Question((967,), feature_maps=3))[0]
        module, x = explainer.classifier.module, explainer.prepare(images)
        explainer.close()
    with open_cam(module, (LAYER, *more_layers), method) as cam:
        expected = {index: cam(x, index).cam.numpy() for index in (967, 285)}
    assert [each.label for each in explanations] == ["espresso"] * 2
    assert explanations[0].probability == pytest.approx(plain.probability, abs=1e-4)
    for place, one in enumerate(explanations):
        for each in one.split_by_class():
            raw = expected[each.class_index][place]
            np.testing.assert_allclose(each.heatmap, raw / raw.max(), atol=1e-3)
            assert each.maps[0].strength == pytest.approx(raw.max(), rel=1e-2)
            assert each.maps[0].title == method
    assert [each.title[0] for each in plain.maps[1:]] == ["#"] * 3, "of its gradient"
    if method == "scorecam":
        assert shares == sorted(shares[: len(shares) // 2]) * 2, "from 0 to 1 for each image"
        assert shares[-1] == 1


def test_perturbation_methods_have_no_counterfactual(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    settings = NetworkSettings(model="efficientnet_lite0", layer=LAYER)
    with BatchExplainer(settings, print) as explainer:
        explainer.load()
        with pytest.raises(UsageError, match="omit `counterfactual`"):
            explainer.explain([photos["coffee"]], Question((967,), ("scorecam",), AGAINST))


def test_a_missing_second_layer_is_an_error_at_the_start() -> None:
    settings = NetworkSettings(model="efficientnet_lite0")
    with (
        BatchExplainer(settings, print, more_layers=("blocks.9",)) as explainer,
        pytest.raises(UsageError, match=r"'blocks\.9'"),
    ):
        explainer.load()


@pytest.mark.parametrize("error", [LOST["cuda"], NO_MEMORY["cuda"]], ids=["lost", "memory"])
def test_a_batch_falls_back_to_the_cpu_if_a_gpu_fails(
    monkeypatch: pytest.MonkeyPatch, photos: dict[str, NDArray[np.uint8]], error: Exception
) -> None:
    load = load_network

    def on_gpu(settings: NetworkSettings, *arguments: Any) -> Loaded:
        loaded = load(replace(settings, device="cpu"), *arguments)
        gpu = torch.device("cuda", 0)
        return loaded if settings.device == "cpu" else loaded._replace(device=gpu)

    def failing(engine: HookEngine, *arguments: Any) -> Any:
        if engine.device == "cuda:0":
            raise error
        return explain(engine, *arguments)

    explain = HookEngine.explain
    monkeypatch.setattr(loading, "load_network", on_gpu)
    monkeypatch.setattr(memory, "_free_memory", lambda _device: None)
    monkeypatch.setattr(HookEngine, "explain", failing)
    settings = NetworkSettings(model="efficientnet_lite0", precision="fp32")
    sentences: list[str] = []
    with BatchExplainer(settings, sentences.append, batch=2) as explainer:
        explainer.load()
        found = explainer.explain([photos["coffee"], photos["chelsea"]], Question())
        assert explainer.engine.description == "hook cpu fp32"
    assert [each.label for each in found] == ["espresso", "Egyptian cat"]
    (sentence,) = sentences
    assert sentence.startswith("Falling back to the CPU: ")
