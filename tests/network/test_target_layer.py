from __future__ import annotations

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from live_cam.errors import UsageError
from live_cam.network.target_layer import find_target_layer, get_layer

# One of each family, with the layer that the papers and the libraries recommend.
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
TIMM = {
    "convnext_atto": "stages",
    "deit_tiny_distilled_patch16_224": "blocks.11.norm1",
    "efficientnet_b0": "bn2",
    "mixer_s32_224": "norm",
    "resnet18": "layer4",
    "swin_tiny_patch4_window7_224": "norm",
    # Its logits come from the tokens' mean, so every position counts up to the end.
    "vit_relpos_small_patch16_224": "blocks.11.norm2",
    "vit_tiny_patch16_224": "blocks.11.norm1",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_layer_is_found_in_every_family(name: str) -> None:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3", "vgg19") else {}
    module = models.get_model(name, weights=None, **options).eval()
    side = 299 if name == "inception_v3" else 224
    assert find_target_layer(module, torch.zeros(1, 3, side, side)).name == EXPECTED[name]
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


@pytest.mark.parametrize("name", TIMM)
def test_the_layer_is_found_in_timms_families(name: str) -> None:
    module = timm.create_model(name).eval()
    assert find_target_layer(module, torch.zeros(1, 3, 224, 224)).name == TIMM[name]
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_all_prefix_tokens_are_counted() -> None:
    module = timm.create_model("deit_tiny_distilled_patch16_224").eval()
    target = find_target_layer(module, torch.zeros(1, 3, 224, 224))
    assert target.axes.prefix_tokens == 2
    maps = target.axes.as_maps(torch.zeros(1, 198, 192))
    assert maps.shape == (1, 192, 14, 14)


def test_untraceable_features_are_not_replaced_by_those_of_an_early_layer() -> None:
    """Hiera orders its tokens in its own way; its first layer would explain little."""
    module = timm.create_model("hiera_tiny_224").eval()
    with pytest.raises(UsageError, match=r"Hiera.*`layer`"):
        find_target_layer(module, torch.zeros(1, 3, 224, 224))


def test_the_axes_of_a_named_layer_are_traced() -> None:
    module = models.swin_t(weights=None).eval()
    x = torch.zeros(1, 3, 64, 64)
    assert find_target_layer(module, x, "features.7.1.norm1").axes.roles == "NHWC"
    assert find_target_layer(module, x, "permute").axes.roles == "NCHW"
    with pytest.raises(
        UsageError, match=r"no layer 'normal'; .*closest ones for `layer` are .*norm"
    ):
        find_target_layer(module, x, "normal")


def test_a_network_without_maps_is_rejected() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    with pytest.raises(UsageError, match="`layer`"):
        find_target_layer(module, torch.zeros(1, 3, 8, 8))


def test_a_layer_is_found_by_its_dotted_name() -> None:
    module = models.resnet18(weights=None)
    assert get_layer(module, "layer4.1") is module.layer4[1]
    with pytest.raises(UsageError, match=r"no layer 'layer5'; .*closest ones for `layer` .*layer4"):
        get_layer(module, "layer5")
    with pytest.raises(UsageError, match="no layer ''"):
        get_layer(module, "")
