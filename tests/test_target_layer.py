from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from live_cam.errors import UsageError
from live_cam.target_layer import find_target_layer, get_layer

# One of each family. What the papers and the libraries' own recommendations take.
EXPECTED = {
    "alexnet": "features.11",
    "convnext_tiny": "features",
    "densenet121": "features",
    "efficientnet_b0": "features",
    "googlenet": "inception5b",
    "inception_v3": "Mixed_7c",
    "maxvit_t": "blocks.3",
    "mnasnet0_5": "layers",
    "mobilenet_v2": "features",
    "mobilenet_v3_small": "features",
    "regnet_x_400mf": "trunk_output",
    "resnet18": "layer4",
    "shufflenet_v2_x0_5": "conv5",
    "squeezenet1_1": "features",
    "swin_t": "norm",
    "vgg11": "features.19",
    "vgg16_bn": "features.42",
    "vgg19": "features.35",
    "vit_b_32": "encoder.layers.encoder_layer_11.ln_1",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_default_of_every_family(name: str) -> None:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3", "vgg19") else {}
    module = models.get_model(name, weights=None, **options).eval()
    side = 299 if name == "inception_v3" else 224
    assert find_target_layer(module, torch.zeros(1, 3, side, side)).name == EXPECTED[name]
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_network_without_maps() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    with pytest.raises(UsageError, match="--layer"):
        find_target_layer(module, torch.zeros(1, 3, 8, 8))


def test_layer_by_name() -> None:
    module = models.resnet18(weights=None)
    assert get_layer(module, "layer4.1") is module.layer4[1]
    with pytest.raises(UsageError, match=r"no layer 'layer5'; the closest ones are .*layer4"):
        get_layer(module, "layer5")
    with pytest.raises(UsageError, match="no layer ''"):
        get_layer(module, "")
