"""A user's own weights, fitted to the network that they were trained in."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from live_cam.classifier.recipe import Recipe
    from live_cam.weights import StateDict

_SHOWN_KEYS = 3


def load_checkpoint(recipe: Recipe, state: StateDict, path: Path) -> nn.Module:
    """Build a network for as many classes as a state dict has, and load it.

    Args:
        recipe: How to build the network.
        state: What `read_state_dict` read.
        path: Where from, to be named.

    Raises:
        UsageError: The state dict is not one of this network.
        WeightsError: timm is not installed.
    """
    classes = count_classes(recipe, state)
    module = recipe.build(state) if classes is None else recipe.build(state, classes)
    expected = module.state_dict()
    problems = {
        "missing": [key for key in expected if key not in state and not _is_counter(key)],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            key for key in expected if key in state and state[key].shape != expected[key].shape
        ],
    }
    if any(problems.values()):
        listing = "; ".join(
            f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys
        )
        raise UsageError(
            f"the weights {path} are not those of a {recipe.name}: of its {len(expected)} "
            f"tensors, {listing}; name the network that they belong to with --model."
        )
    # Some of torchvision's networks ask which version of themselves a state dict is of.
    versioned = OrderedDict(state)
    versioned._metadata = expected._metadata  # type: ignore[attr-defined]
    module.load_state_dict(versioned, strict=False)
    return module


def count_classes(recipe: Recipe, state: StateDict) -> int | None:
    """Return for how many classes a state dict was trained, or None if it does not say.

    What belongs to the classifier is seen by building the network for 2 and for 3 classes: those
    tensors differ in size. The last of them counts, as auxiliary classifiers come before.

    Args:
        recipe: How to build the network.
        state: Its state dict, with any number of classes.
    """
    two, three = (_shapes(recipe, state, classes) for classes in (2, 3))
    for key, shape in reversed(two.items()):
        for axis, sizes in enumerate(zip(shape, three[key], strict=True)):
            if sizes == (2, 3) and key in state and state[key].ndim == len(shape):
                return state[key].shape[axis]
    return None


def _shapes(recipe: Recipe, state: StateDict, classes: int) -> dict[str, torch.Size]:
    try:
        with torch.device("meta"):
            module = recipe.build(state, classes)
    except NotImplementedError:  # torchvision's RegNet calculates with tensors while it is built
        module = recipe.build(state, classes)
    return {key: tensor.shape for key, tensor in module.state_dict().items()}


def _is_counter(key: str) -> bool:
    """Batch normalisation's counter is of no use in `eval()`, and old checkpoints lack it."""
    return key.endswith("num_batches_tracked")


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN_KEYS]) + (", …" if len(keys) > _SHOWN_KEYS else "")
