"""Classifiers with seeded weights, as `load_classifier` would give them."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import nn
from torchvision import models

from live_cam.network.classifier import Classifier
from live_cam.network.target_layer import find_target_layer
from tests.support.networks import randomised

SIZE = (96, 96)


def as_classifier(module: nn.Module, layer: str | None = None, name: str = "net") -> Classifier:
    """Any network of 96×96 images and `classes` outputs."""
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


_SIZED: dict[str, dict[str, Any]] = {
    "vit_b_16": {"image_size": SIZE[0]},
    "timm/vit_tiny_patch16_224": {"img_size": SIZE[0]},
    "timm/swin_tiny_patch4_window7_224": {"img_size": SIZE[0]},
}
"""The networks that must know the size of their images."""


def network(name: str) -> Classifier:
    """One of torchvision's or timm's, with small images."""
    library, _, rest = name.rpartition("/")
    make = timm.create_model if library else models.get_model
    module = make(rest, **_SIZED.get(name, {}))
    return as_classifier(randomised(module), name=name)


def images(count: int = 1, seed: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
