from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from live_cam.cam.gradcam import GradCAM
from live_cam.cam.guided import guided_backpropagation, guided_gradcam
from live_cam.errors import NonFiniteError, UsageError
from live_cam.network.classifier import load_classifier
from live_cam.network.preprocess import Preprocessor
from tests.support.networks import randomised, tiny_network


def images(count: int = 2, side: int = 64) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.vgg19(weights=None, init_weights=False),
        lambda: models.resnet18(weights=None),
    ],
    ids=["vgg19", "resnet18"],
)
def test_guided_backpropagation_equals_pytorch_grad_cam(make: Callable[[], nn.Module]) -> None:
    peers = pytest.importorskip("pytorch_grad_cam")
    module = randomised(make())
    x = images()
    ours = guided_backpropagation(module, x, torch.tensor([3, 7]))
    assert ours.shape == x.shape
    assert ours.dtype == torch.float32
    # The peer replaces the ReLUs of its network and does not restore them.
    peer = peers.GuidedBackpropReLUModel(model=copy.deepcopy(module))
    for index, class_index in enumerate((3, 7)):
        expected = peer(x[index : index + 1].clone(), class_index).transpose(2, 0, 1)
        largest = np.abs(expected).max()
        assert largest > 0
        assert np.abs(ours[index].numpy() - expected).max() <= 1e-4 * largest


def test_the_top_class_of_each_image_is_explained_by_default() -> None:
    module = tiny_network()
    top = module(images()).argmax(dim=1)
    gradients = guided_backpropagation(module, images())
    torch.testing.assert_close(gradients, guided_backpropagation(module, images(), top))


class Functions(nn.Module):
    """The tiny network, with another kind of ReLU instead of its own."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            layer for layer in tiny_network() if not isinstance(layer, nn.ReLU)
        )
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        convolution, pooling, flatten, first, second = self.layers
        features = flatten(pooling(self.relu(convolution(x))))
        return cast(Tensor, second(self.relu(first(features))))


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "layer": nn.ReLU(),
    "layer in place": nn.ReLU(inplace=True),
    "function": functional.relu,
    "function in place": lambda x: functional.relu(x, inplace=True),
    "torch's": torch.relu,
    "torch's in place": torch.relu_,
    "tensor's": lambda x: x.relu(),
    "tensor's in place": lambda x: x.relu_(),
    "result unused": lambda x: (functional.relu(x, inplace=True), x)[1],
    "of a view": lambda x: x.view(-1).relu_().view(x.shape),
}


@pytest.mark.parametrize("kind", RELUS)
def test_every_way_to_call_a_relu_is_guided(kind: str) -> None:
    module = Functions(RELUS[kind]).eval().requires_grad_(False)
    expected = guided_backpropagation(tiny_network(), images(), 2)
    torch.testing.assert_close(guided_backpropagation(module, images(), 2), expected)


@pytest.mark.parametrize("relu", [nn.ReLU6(), nn.ReLU6(inplace=True), functional.relu6])
def test_relu6_also_blocks_gradients_above_its_ceiling(relu: Callable[[Tensor], Tensor]) -> None:
    """From the definition, layer by layer."""
    module = Functions(relu).eval().requires_grad_(False)
    x = 3 * images()
    convolution, pooling, flatten, first, second = module.layers
    assert isinstance(second, nn.Linear)
    assert isinstance(first, nn.Linear)
    lower = convolution(x)
    pooled = flatten(pooling(lower.clamp(0, 6)))
    upper = first(pooled)
    gradient = second.weight[2].clamp_min(0) * ((upper > 0) & (upper < 6))
    gradient = gradient @ first.weight
    (below,) = torch.autograd.grad(
        flatten(pooling(spread := lower.clone().requires_grad_())), spread, gradient
    )
    below = below.clamp_min(0) * ((lower > 0) & (lower < 6))
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(convolution(leaf), leaf, below)
    assert bool((lower > 6).any())
    torch.testing.assert_close(guided_backpropagation(module, x, 2), expected)


def test_in_place_relus_stay_in_place() -> None:
    """This makes a difference where features are used again, as in this block."""

    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, 3)
            self.relu = nn.ReLU(inplace=True)
            self.outputs: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            features = self.convolution(x)
            logits: Tensor = (self.relu(features) + features).mean(dim=(2, 3))
            self.outputs.append(logits.detach())
            return logits

    module = Reused()
    randomised(module)
    guided_backpropagation(module, images())
    module(images())
    torch.testing.assert_close(*module.outputs)


def test_guided_backpropagation_leaves_the_network_unchanged() -> None:
    module = models.resnet18(weights=None).train()
    module.bn1.eval()
    layers = list(module.modules())
    training = [layer.training for layer in layers]
    before = {key: value.clone() for key, value in module.state_dict().items()}
    x = images()
    original = x.clone()
    guided_backpropagation(module, x)
    assert all(one is other for one, other in zip(module.modules(), layers, strict=True))
    assert [layer.training for layer in layers] == training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not any(layer._forward_hooks for layer in layers)
    assert torch.equal(x, original)
    assert not x.requires_grad


def test_gradients_disabled_by_the_caller_do_not_matter() -> None:
    module = tiny_network()
    expected = guided_backpropagation(module, images(), 1)
    with torch.no_grad():
        assert torch.equal(guided_backpropagation(module, images(), 1), expected)


def test_mistakes_are_rejected() -> None:
    with pytest.raises(UsageError, match=r"ReLUs, and this ConvNeXt has none; choose"):
        guided_backpropagation(models.convnext_tiny(weights=None), images(1, 32))
    with pytest.raises(UsageError, match="0 to 6"):
        guided_backpropagation(tiny_network(), images(), 7)
    module = tiny_network()
    with torch.no_grad():
        dict(module.named_parameters())["6.bias"].fill_(float("nan"))
    with pytest.raises(NonFiniteError):
        guided_backpropagation(module, images(), 2)


def test_guided_gradcam_is_fine_and_lies_at_the_evidence(
    photos: dict[str, NDArray[np.uint8]],
) -> None:
    """On the coffee photo, nearly all of the product lies in the map's warm region."""
    classifier = load_classifier("efficientnet_lite0")
    x = Preprocessor(classifier.input_size, classifier.mean, classifier.std)(photos["coffee"])
    with GradCAM(classifier.module, classifier.layer) as cam:
        result = cam(x)
    gradients = guided_backpropagation(classifier.module, x, result.class_index)
    product = guided_gradcam(gradients, result.cam)
    assert product.shape == x.shape
    enlarged = functional.interpolate(result.cam[:, None], (224, 224), mode="bilinear")
    torch.testing.assert_close(product, gradients * enlarged)
    warm = enlarged[:, 0] > 0.3 * enlarged.max()
    strength = product.abs().sum(dim=1)
    assert float(strength[warm].sum() / strength.sum()) > 0.8
    assert float(warm.float().mean()) < 0.5
