"""Every engine has the maps of the plain one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from live_cam.engines import Engine, available_engines, open_engine
from live_cam.engines.head import AutogradHead, ClosedFormHead
from live_cam.engines.openvino import OpenVINOEngine
from live_cam.engines.torch_engine import TorchEngine
from live_cam.errors import EngineError, NonFiniteError, UsageError
from live_cam.network.classifier import Classifier, load_classifier
from live_cam.network.preprocess import Preprocessor
from tests.support.classifiers import as_classifier, images, network
from tests.support.networks import tiny_network

FAST = ("torch", "openvino")
CPU = torch.device("cpu")


class Engines:
    """Engines that several tests share, since OpenVINO converts slowly."""

    def __init__(self, classifiers: dict[str, Classifier], stack: ExitStack) -> None:
        self.classifiers = classifiers
        self._stack = stack
        self._opened: dict[tuple[str, str], Engine] = {}

    def get(self, network: str, name: str) -> Engine:
        if (network, name) not in self._opened:
            engine = open_engine(name, self.classifiers[network])
            self._opened[network, name] = self._stack.enter_context(engine)
        return self._opened[network, name]


@pytest.fixture(scope="module")
def engines(random_vgg19: nn.Module) -> Iterator[Engines]:
    classifiers = {
        "tiny": as_classifier(tiny_network(), "1"),
        "vgg19": as_classifier(random_vgg19, "features.35", "vgg19"),
        "densenet121": network("densenet121"),
    }
    with ExitStack() as stack:
        yield Engines(classifiers, stack)


def assert_same(classifier: Classifier, engine: Engine, x: torch.Tensor, index: int | None) -> None:
    with open_engine("hook", classifier) as plain:
        expected = plain.explain(x, index)
    found = engine.explain(x, index)
    assert engine.exact
    assert found.class_index.tolist() == expected.class_index.tolist()
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    assert float(expected.cam.max()) > 0
    for mine, its in zip(found.cam, expected.cam, strict=True):
        assert float((mine - its).abs().max()) < 1e-4 * float(its.max().clamp_min(1e-6))


@pytest.mark.parametrize("index", [None, 3])
@pytest.mark.parametrize("name", FAST)
def test_vgg19_at_full_size(engines: Engines, name: str, index: int | None) -> None:
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    assert_same(engines.classifiers["vgg19"], engines.get("vgg19", name), x, index)


@pytest.mark.parametrize(
    "architecture",
    [
        "resnet18",
        "mobilenet_v2",
        "squeezenet1_1",
        "vit_b_16",
        "timm/vit_tiny_patch16_224",
        "timm/swin_tiny_patch4_window7_224",
        "timm/convnext_atto",
    ],
)
@pytest.mark.parametrize("name", FAST)
def test_other_architectures(architecture: str, name: str) -> None:
    classifier = network(architecture)
    with open_engine(name, classifier) as engine:
        assert_same(classifier, engine, images(2), None)


@pytest.mark.parametrize("name", FAST)
def test_densenet(engines: Engines, name: str) -> None:
    assert_same(
        engines.classifiers["densenet121"], engines.get("densenet121", name), images(2), None
    )


@pytest.mark.parametrize("name", FAST)
def test_real_photos(photos: dict[str, NDArray[np.uint8]], name: str) -> None:
    classifier = load_classifier("efficientnet_lite0")
    prepare = Preprocessor(classifier.input_size, classifier.mean, classifier.std)
    x = torch.cat([prepare(photo) for photo in photos.values()])
    with open_engine(name, classifier) as engine:
        assert_same(classifier, engine, x, None)


@pytest.mark.parametrize("name", FAST)
def test_a_layer_below_an_in_place_relu(name: str) -> None:
    classifier = as_classifier(tiny_network(), "0")
    with open_engine(name, classifier) as engine:
        assert_same(classifier, engine, images(2), None)


@pytest.mark.parametrize("name", FAST)
def test_each_image_of_a_batch_may_have_its_own_class(engines: Engines, name: str) -> None:
    classes = torch.tensor([7, 0, 999])
    x = images(3)
    engine = engines.get("vgg19", name)
    with open_engine("hook", engines.classifiers["vgg19"]) as plain:
        torch.testing.assert_close(
            engine.explain(x, classes).cam, plain.explain(x, classes).cam, rtol=1e-3, atol=1e-5
        )
        assert engine.explain(x, classes).class_index.tolist() == [7, 0, 999]


@pytest.mark.parametrize(("name", "kind"), [("torch", TorchEngine), ("openvino", OpenVINOEngine)])
def test_vgg19_takes_the_closed_form_and_densenet_the_tape(
    engines: Engines, name: str, kind: type[TorchEngine | OpenVINOEngine]
) -> None:
    engine, other = engines.get("vgg19", name), engines.get("densenet121", name)
    assert isinstance(engine, kind)
    assert isinstance(engine._head, ClosedFormHead)
    assert isinstance(other, kind)
    assert isinstance(other._head, AutogradHead)


def test_torchs_trunk_is_folded_and_channels_last() -> None:
    engine = open_engine("torch", network("mobilenet_v2"))
    assert isinstance(engine, TorchEngine)
    layers = list(engine._trunk.modules())
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert convolutions
    assert any(
        layer.weight.is_contiguous(memory_format=torch.channels_last)
        and not layer.weight.is_contiguous()
        for layer in convolutions
    )


@pytest.mark.parametrize("name", ["hook", *FAST])
def test_the_network_is_not_changed(name: str) -> None:
    module = tiny_network()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with open_engine(name, as_classifier(module, "1")) as engine:
        engine.explain(images())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(p.is_contiguous() and p.grad is None for p in module.parameters())
    assert not any(layer._forward_hooks for layer in module.modules())
    engine.close()  # once more does no harm


@pytest.mark.parametrize("name", FAST)
def test_the_logits_alone_are_those_of_the_explanation(engines: Engines, name: str) -> None:
    assert_logits_alone(engines.get("tiny", name), engines.classifiers["tiny"])


@pytest.mark.parametrize("layer", ["1", "4"])
def test_the_logits_alone_of_the_plain_engine(layer: str) -> None:
    classifier = as_classifier(tiny_network(), layer)
    with open_engine("hook", classifier) as engine:
        assert_logits_alone(engine, classifier)


def assert_logits_alone(engine: Engine, classifier: Classifier) -> None:
    expected = classifier.module(images(2))
    logits = engine.logits(images(2))
    assert not logits.requires_grad
    torch.testing.assert_close(logits, expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("index", [-1, 7])
def test_a_class_that_does_not_exist(engines: Engines, name: str, index: int) -> None:
    with pytest.raises(UsageError, match=rf"class {index} does not exist.*0 to 6"):
        engines.get("tiny", name).explain(images(), index)


@pytest.mark.parametrize("index", [-1, 7])
def test_a_class_that_does_not_exist_for_the_plain_engine(index: int) -> None:
    with (
        open_engine("hook", as_classifier(tiny_network(), "1")) as engine,
        pytest.raises(UsageError, match=rf"class {index} does not exist.*0 to 6"),
    ):
        engine.explain(images(), index)


@pytest.mark.parametrize("layer", [0, 6])
@pytest.mark.parametrize("name", FAST)
def test_weights_that_are_not_finite_are_named(name: str, layer: int) -> None:
    module = tiny_network()
    with torch.no_grad():
        next(module[layer].parameters()).fill_(float("nan"))
    with (
        pytest.raises(NonFiniteError, match="not finite"),
        open_engine(name, as_classifier(module, "1")) as engine,
    ):
        engine.explain(images(), 0)


def test_an_overflow_that_the_maps_relu_would_hide_lowers_the_scale() -> None:
    module = tiny_network()
    with open_engine("hook", as_classifier(module, "1")) as plain:
        expected = plain.explain(images(), 2).cam
    engine = open_engine("torch", as_classifier(module, "1"), precision="fp16")
    assert isinstance(engine, TorchEngine)
    engine._precision.scale = 2.0**40
    found = engine.explain(images(), 2).cam
    assert 1 <= engine._precision.scale < 2.0**40
    correlation = torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1]
    assert correlation > 0.99


@pytest.mark.parametrize("name", FAST)
def test_bfloat16_maps_of_photos_correlate(photos: dict[str, NDArray[np.uint8]], name: str) -> None:
    classifier = load_classifier("efficientnet_lite0")
    prepare = Preprocessor(classifier.input_size, classifier.mean, classifier.std)
    with (
        open_engine("hook", classifier) as plain,
        open_engine(name, classifier, precision="bf16") as engine,
    ):
        assert (engine.exact, engine.precision) == (False, "bf16")
        for photo in photos.values():
            expected = plain.explain(prepare(photo))
            found = engine.explain(prepare(photo), int(expected.class_index))
            both = torch.stack([expected.cam.flatten(), found.cam.flatten()])
            assert torch.corrcoef(both)[0, 1] > 0.98


@pytest.mark.parametrize("name", FAST)
def test_the_description_on_the_image(engines: Engines, name: str) -> None:
    assert engines.get("tiny", name).description == f"{name} cpu fp32"


def test_wrong_names_and_combinations() -> None:
    classifier = as_classifier(tiny_network(), "1")
    with pytest.raises(UsageError, match=r"no engine 'warp'; choose hook, torch, openvino"):
        open_engine("warp", classifier)
    for name in ("hook", "torch"):
        with pytest.raises(UsageError, match=rf"{name} has no precision int8.*`engine=openvino`"):
            open_engine(name, classifier, precision="int8")


def test_available_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_engines(CPU) == ("hook", "torch", "openvino")
    assert available_engines(torch.device("cuda", 0)) == ("hook", "torch")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert available_engines(CPU) == ("hook", "torch")


def test_missing_openvino_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(EngineError, match=r"pip install 'live-cam\[openvino\]'"):
        open_engine("openvino", as_classifier(tiny_network(), "1"))
