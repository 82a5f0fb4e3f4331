from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from live_cam.bench import limits as module
from live_cam.bench.limits import Layer, MachineLimits, layers, measure_limits, time_limit

LIMITS = MachineLimits({"fp32": 100.0, "int8": 400.0}, bandwidth=40.0)


def test_operations_and_weights_of_a_convolution_and_a_linear_layer() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 10 * 12, 5)
    )
    assert layers(module.eval(), torch.zeros(1, 3, 10, 12)) == [
        Layer("0", 2 * 8 * 3 * 9 * 10 * 12, 8 * 3 * 9 + 8),
        Layer("3", 2 * 960 * 5, 960 * 5 + 5),
    ]


def test_operations_and_weights_of_vgg19_are_as_published() -> None:
    """torchvision states 19.63 GMAC and 143 667 240 parameters."""
    with torch.device("meta"):
        module = models.vgg19(weights=None, init_weights=False).eval()
        work = layers(module, torch.zeros(1, 3, 224, 224))
    assert len(work) == 19
    assert sum(layer.weights for layer in work) == 143_667_240
    assert sum(layer.flops for layer in work) / 2e9 == pytest.approx(19.63, abs=0.01)


def test_the_projection_weights_of_attention_count_once() -> None:
    module = models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    ).eval()
    work = layers(module, torch.zeros(1, 3, 32, 32))
    assert sum(layer.weights for layer in work) == sum(p.numel() for p in module.parameters())
    (attention,) = [layer for layer in work if layer.name.endswith("layer_0.self_attention")]
    tokens, width = 17, 16
    assert attention.weights == 4 * (width * width + width)
    projections, products = 2 * tokens * width * 4 * width, 2 * tokens * width * 2 * tokens
    # Torch's version and device decide whether it counts the products of tokens with tokens.
    assert attention.flops in (projections, projections + products)


def test_each_layer_takes_the_longer_of_computing_and_reading() -> None:
    computing = Layer("convolution", flops=1000, weights=1)
    reading = Layer("linear", flops=20, weights=10)
    assert time_limit([computing], LIMITS) == 10.0
    assert time_limit([reading], LIMITS) == 1.0
    assert time_limit([computing, reading], LIMITS) == 11.0
    assert time_limit([computing, reading], LIMITS, "int8") == 2.75
    assert time_limit([computing], LIMITS, "bf16") is None


def test_measured_limits_are_plausible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    limits = measure_limits(torch.device("cpu"))
    assert limits.rates["fp32"] > 1e8
    assert set(limits.rates) <= {"fp32", "bf16", "fp16", "int8"}
    assert all(rate > 0 for rate in limits.rates.values())
    assert limits.bandwidth > 1e8
