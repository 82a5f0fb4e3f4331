"""A user's own weights, loaded into the network that they were trained with."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.errors import UsageError, shortened
from live_cam.network.recipe import IMAGENET_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from live_cam.network.recipe import Recipe
    from live_cam.network.state_dict import StateDict

_SHOWN_KEYS = 3


def load_checkpoint(recipe: Recipe, state: StateDict, path: Path) -> nn.Module:
    """Build a network for as many classes as a state dict has, and load the state dict.

    A misfit is rejected before memory for that many classes is allocated.

    Args:
        recipe: How to build the network.
        state: The result of `read_state_dict`.
        path: Its file, for the error text.

    Raises:
        UsageError: The state dict does not belong to this network, or holds NaN or infinity.
        WeightsError: timm is not installed.
    """
    shapes = _shapes_by_classes(recipe, state)
    classes = _count_classes(shapes, state)
    if classes == 0:
        raise UsageError(
            f"the weights {path} belong to a network without classes; train it on some."
        )
    if classes is None:
        classes = IMAGENET_CLASSES
    _check_fit({key: shape.of(classes) for key, shape in shapes.items()}, state, recipe.name, path)
    module = recipe.build(state, classes)
    # Some of torchvision's networks check which version of themselves a state dict comes from.
    versioned = OrderedDict(state)
    versioned._metadata = module.state_dict()._metadata  # type: ignore[attr-defined]
    module.load_state_dict(versioned, strict=False)
    _check_finite(module, path)
    return module


def count_classes(recipe: Recipe, state: StateDict) -> int | None:
    """Return the number of classes that a state dict was trained for, or None if unknown.

    Building the network for 2 and for 3 classes shows which tensors belong to the classifier: their
    sizes differ. The last of them counts, since auxiliary classifiers come earlier.

    Args:
        recipe: How to build the network.
        state: The state dict, with any number of classes.
    """
    return _count_classes(_shapes_by_classes(recipe, state), state)


class _Shape(NamedTuple):
    """A tensor's shape in a network for 2 classes, and in one for 3."""

    two: Sequence[int]
    three: Sequence[int]

    @property
    def class_axis(self) -> int | None:
        """The index of the axis that counts classes, or None if there is none."""
        sizes = zip(self.two, self.three, strict=True)
        return next((axis for axis, pair in enumerate(sizes) if pair == (2, 3)), None)

    def of(self, classes: int) -> tuple[int, ...]:
        """Return its shape in a network for any number of classes."""
        pairs = zip(self.two, self.three, strict=True)
        return tuple(two + (classes - 2) * (three - two) for two, three in pairs)


def _shapes_by_classes(recipe: Recipe, state: StateDict) -> dict[str, _Shape]:
    two, three = (_shapes(recipe, state, classes) for classes in (2, 3))
    return {key: _Shape(shape, three[key]) for key, shape in two.items()}


def _shapes(recipe: Recipe, state: StateDict, classes: int) -> dict[str, torch.Size]:
    try:
        with torch.device("meta"):
            module = recipe.build(state, classes)
    except NotImplementedError:  # torchvision's RegNet computes with tensors while it is built
        module = recipe.build(state, classes)
    return {key: tensor.shape for key, tensor in module.state_dict().items()}


def _count_classes(shapes: Mapping[str, _Shape], state: StateDict) -> int | None:
    for key, shape in reversed(list(shapes.items())):
        axis = shape.class_axis
        if axis is not None and key in state and state[key].ndim == len(shape.two):
            return int(state[key].shape[axis])
    return None


def _check_fit(
    expected: Mapping[str, tuple[int, ...]], state: StateDict, name: str, path: Path
) -> None:
    problems = {
        "missing": [key for key in expected if key not in state and not _is_counter(key)],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            key for key, shape in expected.items() if key in state and state[key].shape != shape
        ],
    }
    if any(problems.values()):
        listing = "; ".join(
            f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys
        )
        raise UsageError(
            f"the weights {path} do not belong to {name}: of its {len(expected)} tensors, "
            f"{listing}; name the network that they belong to with `model`."
        )


def _check_finite(module: nn.Module, path: Path) -> None:
    broken = [
        key for key, tensor in module.state_dict().items() if not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise UsageError(
            f"the weights {path} hold NaN or infinity, in {len(broken)} of their tensors "
            f"({_some(broken)}); the training diverged, so use those of an earlier epoch."
        )


def _is_counter(key: str) -> bool:
    """Whether this is batch normalisation's counter: unused in `eval()`, absent in old files."""
    return key.endswith("num_batches_tracked")


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(map(shortened, keys[:_SHOWN_KEYS]))
    return shown + (", …" if len(keys) > _SHOWN_KEYS else "")
