"""Classifiers with seeded weights, as `load_classifier` would give them."""

from __future__ import annotations

import torch
from torch import nn
from torchvision import models

from live_cam.classifier import Classifier
from live_cam.target_layer import find_target_layer
from tests.networks import randomised

SIZE = (96, 96)


def as_classifier(module: nn.Module, layer: str | None = None, name: str = "net") -> Classifier:
    """Any network of 96×96 pictures and `classes` outputs."""
    module.eval().requires_grad_(False)
    example = torch.zeros(1, 3, *SIZE)
    target = find_target_layer(module, example, layer)
    return Classifier(
        name=name,
        module=module,
        layer=target.name,
        axes=target.axes,
        labels=tuple(f"class {index}" for index in range(target.classes)),
        input_size=SIZE,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def network(name: str) -> Classifier:
    """One of torchvision's, small ones and small pictures where the architecture allows it."""
    options = {"vit_b_16": {"image_size": SIZE[0]}}.get(name, {})
    module = models.get_model(name, weights=None, **options)
    return as_classifier(randomised(module), name=name)


def pictures(count: int = 1, seed: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
