from __future__ import annotations

import pytest
import torch
from torch import nn

from live_cam.cam.gradcam import GradCAM
from live_cam.errors import EngineError, UsageError
from live_cam.network.cut import cut
from tests.support.classifiers import images, network
from tests.support.networks import randomised, tiny_network


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "vit_b_16", "swin_t"])
def test_the_halves_together_equal_the_network(name: str) -> None:
    classifier = network(name)
    captured: list[torch.Tensor] = []
    hook = classifier.module.get_submodule(classifier.layer).register_forward_hook(
        lambda _module, _inputs, output: captured.append(output.clone())
    )
    with torch.no_grad():
        expected = classifier.module(images(2))
        hook.remove()
        halves = cut(classifier.module, classifier.layer)
        features = halves.trunk(images(2))
        torch.testing.assert_close(features[0], captured[0], rtol=0, atol=0)
        torch.testing.assert_close(halves.head(*features), expected, rtol=0, atol=0)


def test_a_residual_connection_crosses_the_cut() -> None:
    classifier = network("vit_b_16")
    with torch.no_grad():
        assert len(cut(classifier.module, classifier.layer).trunk(images())) == 2


def test_arguments_other_than_the_image_keep_their_defaults() -> None:
    """timm's transformers also take an attention mask, which OpenVINO cannot receive."""
    classifier = network("timm/vit_tiny_patch16_224")
    features = cut(classifier.module, classifier.layer).trunk(images())
    assert all(isinstance(part, torch.Tensor) for part in features)


def test_a_layer_before_an_in_place_relu_is_cut_before_it() -> None:
    module = tiny_network()
    halves = cut(module, "0")
    with torch.no_grad():
        (activation,) = halves.trunk(images())
    assert float(activation.min()) < 0


def test_a_container_can_be_the_target_layer() -> None:
    classifier = network("resnet18")
    assert classifier.layer == "layer4"
    with torch.no_grad():
        halves = cut(classifier.module, "layer3")
        torch.testing.assert_close(
            halves.head(*halves.trunk(images())), classifier.module(images())
        )


def test_the_trunk_is_a_copy_and_the_head_shares_its_parameters() -> None:
    module = tiny_network()
    halves = cut(module, "1")
    own = {parameter.data_ptr() for parameter in module.parameters()}
    assert not own & {parameter.data_ptr() for parameter in halves.trunk.parameters()}
    assert {parameter.data_ptr() for parameter in halves.head.parameters()} <= own


def test_cutting_leaves_the_network_unchanged() -> None:
    module = tiny_network()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    cut(module, "1")
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not any(layer._forward_hooks for layer in module.modules())


def test_hooks_of_others_are_not_copied() -> None:
    module = tiny_network()
    with GradCAM(module, "1"):
        halves = cut(module, "1")
    assert not any(layer._forward_hooks for layer in halves.trunk.modules())
    with torch.no_grad():
        assert not halves.head(*halves.trunk(images())).requires_grad


class _Undecided(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.conv(x)
        if features.sum() > 0:
            features = -features
        return self.linear(features.mean((2, 3)))  # type: ignore[no-any-return]


class _Twice(_Undecided):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = self.conv(x) + self.conv(x.flip(3))
        return self.linear(both.mean((2, 3)))  # type: ignore[no-any-return]


def test_a_network_with_data_dependent_control_flow_cannot_be_cut() -> None:
    with pytest.raises(EngineError, match=r"cannot trace _Undecided.*`engine=hook`"):
        cut(randomised(_Undecided()), "conv")


def test_a_layer_that_runs_twice_cannot_be_cut() -> None:
    with pytest.raises(EngineError, match=r"'conv' runs 2 times.*`engine=hook`"):
        cut(randomised(_Twice()), "conv")


def test_a_layer_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no layer 'nowhere'"):
        cut(tiny_network(), "nowhere")
