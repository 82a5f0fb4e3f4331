"""Pretrained networks: frozen, in `eval()`, with their labels and their target layer.

- `torchvision`: its classifiers by their names.
- `timm`: its own as `timm/NAME`.
- `embedded`: the one whose weights come with a Python package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torchvision import models

from live_cam.errors import LiveCamError, UsageError
from live_cam.labels import load_labels
from live_cam.network.checkpoint import load_checkpoint
from live_cam.network.embedded import EmbeddedRecipe
from live_cam.network.recipe import IMAGENET_CLASSES, Recipe
from live_cam.network.target_layer import find_target_layer
from live_cam.network.timm import PREFIX, TimmRecipe
from live_cam.network.torchvision import TorchvisionRecipe
from live_cam.network.weights import read_state_dict
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from live_cam.network.axes import Axes

__all__ = ["Classifier", "load_classifier", "missing_download"]


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A network that is ready to be explained."""

    name: str
    """As the user knows it: `vgg19`, `timm/resnet18`."""
    module: nn.Module
    """From N×3×H×W to N×C logits; in `eval()`, its parameters frozen."""
    layer: str
    """Dotted name of the target layer."""
    axes: Axes
    """What the axes of its activations mean."""
    labels: tuple[str, ...]
    """C class names."""
    input_size: tuple[int, int]
    """Height and width of its input in pixels."""
    mean: tuple[float, float, float]
    """Of the red, green and blue channel in [0, 1], to subtract."""
    std: tuple[float, float, float]
    """Likewise, to divide by."""


def load_classifier(
    name: str = "vgg19",
    *,
    weights: Path | None = None,
    labels: Path | None = None,
    layer: str | None = None,
    device: torch.device | None = None,
) -> Classifier:
    """Build a network, load its weights, freeze it and find its target layer.

    Args:
        name: A classification network of torchvision, one of timm as `timm/NAME`, or
            `efficientnet_lite0`.
        weights: A state dict for it; None: its pretrained weights, from torchvision's or timm's
            cache or downloaded (or, for `efficientnet_lite0`, from its package). The number of
            classes is read from it.
        labels: A file for `live_cam.labels.load_labels`; None: the names of ImageNet's classes,
            or plain numbers where the network has another number of outputs.
        layer: Dotted name of the target layer; None: `find_target_layer`.
        device: Where to put it; None is the CPU.

    Raises:
        UsageError: No such network or layer, or weights or labels that do not fit.
        WeightsError: The pretrained weights cannot be had, or timm is not installed.
    """
    device = device or torch.device("cpu")
    recipe = _find_recipe(name)
    if weights is None:
        module = recipe.pretrained()
    else:
        module = load_checkpoint(recipe, read_state_dict(weights), weights)
    module = module.to(device).eval().requires_grad_(False)
    example = torch.zeros(1, 3, *recipe.input_size, device=device)
    target = find_target_layer(module, example, layer)
    return Classifier(
        name=name,
        module=module,
        layer=target.name,
        axes=target.axes,
        labels=class_names(labels, target.classes, name),
        input_size=recipe.input_size,
        mean=recipe.mean,
        std=recipe.std,
    )


def missing_download(name: str) -> str | None:
    """Return what there is to download before a network can be loaded, or None if nothing.

    Returns:
        How large it is ("548 MB") or, where that is not known, where it is.
    """
    try:
        return _find_recipe(name).missing_download()
    except LiveCamError:
        return None  # `load_classifier` will say why


def _find_recipe(name: str) -> Recipe:
    if name == EMBEDDED_MODEL:
        return EmbeddedRecipe()
    if name.startswith(PREFIX):
        return TimmRecipe(name)
    return TorchvisionRecipe(name)


def class_names(labels: Path | Sequence[str] | None, outputs: int, name: str) -> tuple[str, ...]:
    """Return the names of a network's classes.

    Args:
        labels: A file for `live_cam.labels.load_labels`, the names themselves, or None for the
            names of ImageNet's classes, or plain numbers if there are not 1000 outputs.
        outputs: C, how many outputs the network has.
        name: What the network is called.

    Returns:
        C names.

    Raises:
        UsageError: There are not C labels, or the file cannot be read.
    """
    if labels is not None:
        names = load_labels(labels) if isinstance(labels, Path) else tuple(map(str, labels))
        if len(names) != outputs:
            source = f"{labels} has" if isinstance(labels, Path) else "`labels` has"
            raise UsageError(
                f"{source} {len(names)} labels, but {name} has {outputs} outputs; "
                "there must be one label for each, in their order."
            )
        return names
    if outputs == IMAGENET_CLASSES:
        return tuple(models.get_model_weights("vgg19").DEFAULT.meta["categories"])
    return tuple(f"class {index}" for index in range(outputs))
