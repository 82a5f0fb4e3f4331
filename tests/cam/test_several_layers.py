"""GradCAM at several layers: one averaged map, from one pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from live_cam.cam.averaging import averaged
from live_cam.cam.gradcam import GradCAM
from live_cam.errors import UsageError
from tests.support.networks import randomised, tiny_network

NETWORKS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "vgg19": (
        lambda: models.vgg19(weights=None, init_weights=False),
        ["features.17", "features.26", "features.35"],
    ),
    "resnet18": (lambda: models.resnet18(weights=None), ["layer2", "layer4", "layer3"]),
}


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_average_equals_pytorch_grad_cams_aggregation(network: str, method: str) -> None:
    peers = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    make, layers = NETWORKS[network]
    module = randomised(make())
    x = images()
    with GradCAM(module, layers, method) as cam:
        ours = cam(x, 3).cam
    assert ours.shape == (2, 96, 96)
    assert 0 <= float(ours.min()) <= float(ours.max()) <= 1
    # The peer scales the average again.
    low, high = ours.amin((1, 2), keepdim=True), ours.amax((1, 2), keepdim=True)
    scaled = ((ours - low) / (high - low)).numpy()
    module.requires_grad_(True)
    kind = {"gradcam": peers.GradCAM, "layercam": peers.LayerCAM}[method]
    with kind(module, [module.get_submodule(layer) for layer in layers]) as peer:
        expected = peer(x, [targets.ClassifierOutputTarget(3)] * 2)
    assert np.abs(scaled - expected).max() <= 1e-4


def test_each_layer_contributes_the_map_that_it_has_alone() -> None:
    module = randomised(models.swin_t(weights=None))
    layers = ["features.3", "features.5.0.norm2", "norm"]
    alone = []
    for layer in layers:
        with GradCAM(module, layer) as cam:
            alone.append(cam(images(), 7).cam)
    with GradCAM(module, layers) as cams:
        together = cams(images(), 7)
    assert together.class_index.tolist() == [7, 7]
    torch.testing.assert_close(together.cam, averaged(alone, 96, 96), rtol=1e-4, atol=1e-5)


def test_several_layers_take_one_forward_and_one_backward_pass() -> None:
    module = tiny_network()
    passes: list[str] = []

    def record(_module: nn.Module, _inputs: object, logits: Tensor) -> None:
        passes.append("forward")
        logits.register_hook(  # type: ignore[no-untyped-call]
            lambda _gradient: passes.append("backward")
        )

    hook = module.register_forward_hook(record)
    with GradCAM(module, ["0", "1"]) as cam:
        cam(images(1))
    hook.remove()
    assert passes == ["forward", "backward"]


def test_a_layer_before_an_in_place_relu_keeps_its_own_activations() -> None:
    module = tiny_network()
    maps = []
    for layer in ("0", "1"):
        with GradCAM(module, layer) as cam:
            maps.append(cam(images(), 2).cam)
    with GradCAM(module, ["0", "1"]) as cams:
        torch.testing.assert_close(cams(images(), 2).cam, averaged(maps, 96, 96))


def test_parallel_layers_are_averaged() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Conv2d(3, 4, 1)
            self.right = nn.Conv2d(3, 4, 3, stride=2)
            self.head = nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            both = torch.cat([self.left(x).mean((2, 3)), self.right(x).mean((2, 3))], dim=1)
            logits: Tensor = self.head(both.relu())
            return logits

    module = randomised(Forked())
    maps = []
    for layer in ("left", "right"):
        with GradCAM(module, layer) as cam:
            maps.append(cam(images(), 1).cam)
    with GradCAM(module, ["left", "right"]) as cams:
        torch.testing.assert_close(cams(images(), 1).cam, averaged(maps, 96, 96))


def test_an_empty_map_adds_nothing() -> None:
    one = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0))
    both = averaged([one, torch.zeros(1, 7, 7)], 8, 8)
    torch.testing.assert_close(both, averaged([one], 8, 8) / 2)


def test_several_layers_leave_the_network_unchanged() -> None:
    module = tiny_network()
    module.train()
    with GradCAM(module, ["0", "1"]) as cam:
        cam(images(1))
    cam.close()
    assert module.training
    assert not any(layer._forward_hooks for layer in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_evidence_of_several_layers_is_rejected() -> None:
    with (
        GradCAM(tiny_network(), ["0", "1"]) as cam,
        pytest.raises(UsageError, match="one layer, not 2; give a single `layer`"),
    ):
        cam.evidence(images(1), torch.tensor([-1]))


def test_mistakes_with_several_layers_are_rejected() -> None:
    with pytest.raises(UsageError, match="no layer '9'"):
        GradCAM(tiny_network(), ["1", "9"])
    with pytest.raises(UsageError, match="no method 'gradcan'"):
        GradCAM(tiny_network(), ["1"], "gradcan")
    with pytest.raises(RuntimeError, match="with"):
        GradCAM(tiny_network(), ["1"])(images(1))
