from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from live_cam.engines.closed_form import ClosedForm, closed_form
from live_cam.network.cut import cut
from tests.support.networks import randomised


def halves_of(
    module: nn.Module, layer: str, size: int = 224
) -> tuple[ClosedForm | None, nn.Module, torch.Tensor]:
    halves = cut(module, layer)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        activation = halves.trunk(x)[0]
    return closed_form(halves.head, activation), halves.head, activation


def check_against_autograd(form: ClosedForm, head: nn.Module, activation: torch.Tensor) -> None:
    """The top class's gradient and that of another one, image by image."""
    with torch.no_grad():
        logits, *hidden = form.logits(activation)
    for classes in (logits.argmax(1), torch.tensor([1, 3])):
        leaf = activation.clone().requires_grad_()
        expected_logits = head(leaf.clone())
        score = expected_logits.gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, leaf)
        expected = gradient.mean((2, 3))
        positions = activation.shape[2] * activation.shape[3]
        found = form.pooled_gradient(classes, *hidden) / positions
        torch.testing.assert_close(logits, expected_logits.detach())
        largest = float(expected.abs().max())
        assert largest > 0
        assert float((found - expected).abs().max()) < 1e-5 * largest


def test_vgg19s_pooled_gradient_equals_autograds(random_vgg19: nn.Module) -> None:
    form, head, activation = halves_of(random_vgg19, "features.35")
    assert form is not None
    check_against_autograd(form, head, activation)


def test_the_first_layers_weights_are_summed_over_each_maps_positions(
    random_vgg19: nn.Module,
) -> None:
    form, _, _ = halves_of(random_vgg19, "features.35")
    assert form is not None
    assert form.pooled_gradient.get_buffer("weight0").shape == (4096, 512)


@pytest.mark.parametrize(
    ("name", "layer", "hidden"),
    [("alexnet", "features.11", 2), ("resnet18", "layer4", 0), ("googlenet", "inception5b", 0)],
)
def test_other_networks_pooled_gradients_equal_autograds(
    name: str, layer: str, hidden: int
) -> None:
    form, head, activation = halves_of(randomised(models.get_model(name, weights=None)), layer)
    assert form is not None
    assert len(form.linear) == hidden + 1
    check_against_autograd(form, head, activation)


def test_overlapping_pooling_that_chooses_one_position_twice() -> None:
    head = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(3, 1, padding=1), nn.Flatten())
    module = randomised(nn.Sequential(*head, nn.Linear(4 * 36, 5), nn.ReLU(), nn.Linear(5, 4)))
    check_against_autograd(*_present(halves_of(module, "0", size=6)))


def _present(
    parts: tuple[ClosedForm | None, nn.Module, torch.Tensor],
) -> tuple[ClosedForm, nn.Module, torch.Tensor]:
    assert parts[0] is not None
    return parts[0], parts[1], parts[2]


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param((nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()), id="ReLU before pooling"),
        pytest.param((nn.LPPool2d(2, 3), nn.Flatten()), id="pooling that is not linear"),
        pytest.param((nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.ReLU()), id="ReLU before linear"),
        pytest.param((nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten()), id="convolution"),
        pytest.param((nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Sigmoid()), id="sigmoid"),
        pytest.param(
            (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.BatchNorm1d(16)), id="normalisation"
        ),
    ],
)
def test_other_heads_have_no_closed_form(behind: tuple[nn.Module, ...]) -> None:
    module = randomised(nn.Sequential(nn.Conv2d(3, 4, 3), *behind, nn.Linear(16, 5)))
    assert halves_of(module, "0", size=8)[0] is None


def test_a_stack_that_ends_in_a_relu_has_no_closed_form() -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5))
    assert halves_of(randomised(nn.Sequential(*layers, nn.ReLU())), "0", size=8)[0] is None


class _Skipping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = torch.flatten(self.pool(self.conv(x)), 1)
        return self.last(features + self.first(features))  # type: ignore[no-any-return]


def test_a_head_with_a_branch_has_no_closed_form() -> None:
    assert halves_of(randomised(_Skipping()), "conv", size=8)[0] is None
