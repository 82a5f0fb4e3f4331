"""Pretrained networks: frozen, in `eval()`, with their labels and their target layer.

- `torchvision`: torchvision's classifiers, by their names.
- `timm`: timm's, as `timm/NAME`.
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
from live_cam.network.state_dict import read_state_dict
from live_cam.network.target_layer import find_target_layer
from live_cam.network.timm import PREFIX, TimmRecipe
from live_cam.network.torchvision import TorchvisionRecipe
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from live_cam.network.axes import Axes

__all__ = ["Classifier", "load_classifier", "missing_download"]


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A network that is ready to be explained, with its labels and input."""

    name: str
    """The name that the user gave: `vgg19`, `timm/resnet18`."""
    module: nn.Module
    """From N×3×H×W to N×C logits, in `eval()`, with frozen parameters."""
    layer: str
    """Dotted name of the target layer."""
    axes: Axes
    """The meaning of the axes of the target layer's activations."""
    labels: tuple[str, ...]
    """C class names."""
    input_size: tuple[int, int]
    """Height and width of its input in pixels."""
    mean: tuple[float, float, float]
    """Mean of the red, green and blue channel in [0, 1]."""
    std: tuple[float, float, float]
    """Standard deviation of the same."""


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
        weights: A state dict file, which also determines the number of classes. None loads the
            pretrained weights, from the cache of torchvision or timm, by a download, or for
            `efficientnet_lite0` from its package.
        labels: A file for `live_cam.labels.load_labels`. None uses the names of ImageNet's
            classes, or plain numbers if the network has another number of outputs.
        layer: Dotted name of the target layer, or None to find it (see `find_target_layer`).
        device: The device to put the network on, the CPU by default.

    Raises:
        UsageError: No such network or layer, or weights or labels that do not fit.
        WeightsError: The pretrained weights are unavailable, or timm is not installed.
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
    """Return what must be downloaded before a network can be loaded, or None if nothing.

    Returns:
        The size ("548 MB") or, if unknown, the location of the download.
    """
    try:
        return _find_recipe(name).missing_download()
    except LiveCamError:
        return None  # `load_classifier` raises the error


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
                "give one label per output, in their order."
            )
        return names
    if outputs == IMAGENET_CLASSES:
        return tuple(models.get_model_weights("vgg19").DEFAULT.meta["categories"])
    return tuple(f"class {index}" for index in range(outputs))
