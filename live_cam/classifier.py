"""Pretrained networks: frozen, in `eval()`, with their labels and their target layer."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from live_cam.errors import UsageError, WeightsError, shortened
from live_cam.labels import load_labels
from live_cam.settings import EMBEDDED_MODEL
from live_cam.target_layer import find_target_layer, get_layer
from live_cam.weights import StateDict, cached_file, load_embedded, load_pretrained, read_state_dict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torchvision.models import WeightsEnum

_SHOWN_KEYS = 3
# What torchvision's builders themselves set when they are given pretrained weights.
_INCEPTIONS = ("googlenet", "inception_v3")
_EMBEDDED_NORM = (0.5, 0.5, 0.5)
_IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A network that is ready to be explained."""

    name: str
    """As the user knows it: `vgg19`."""
    module: nn.Module
    """From N×3×H×W to N×C logits; in `eval()`, its parameters frozen."""
    layer: str
    """Dotted name of the target layer."""
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
        name: A classification network of torchvision, or `efficientnet_lite0`.
        weights: A state dict for it; None: torchvision's pretrained weights, from its cache or
            downloaded (or, for `efficientnet_lite0`, from its package). The number of classes is
            read from it.
        labels: A file for `live_cam.labels.load_labels`; None: the names of ImageNet's classes,
            or plain numbers where the network has another number of outputs.
        layer: Dotted name of the target layer; None: `find_target_layer`.
        device: Where to put it; None is the CPU.

    Raises:
        UsageError: No such network or layer, or weights or labels that do not fit.
        WeightsError: The pretrained weights cannot be had.
    """
    device = device or torch.device("cpu")
    recipe = _Embedded() if name == EMBEDDED_MODEL else _Torchvision(name)
    if weights is None:
        module = recipe.pretrained()
    else:
        module = _load(recipe, read_state_dict(weights), name, weights)
    module = module.to(device).eval().requires_grad_(False)
    if layer is None:
        layer = find_target_layer(module, torch.zeros(1, 3, *recipe.input_size, device=device))
    get_layer(module, layer)
    return Classifier(
        name=name,
        module=module,
        layer=layer,
        labels=_labels(labels, len(module.state_dict()[_classifier_key(module)]), name),
        input_size=recipe.input_size,
        mean=recipe.mean,
        std=recipe.std,
    )


def model_names() -> list[str]:
    """Return the name of every network that `load_classifier` knows."""
    return [EMBEDDED_MODEL, *models.list_models(module=models)]


def missing_download(name: str) -> str | None:
    """Return how large a network's download is ("548 MB"), or None where nothing is missing."""
    if name == EMBEDDED_MODEL or name not in model_names():
        return None
    weights = models.get_model_weights(name).DEFAULT
    return None if cached_file(weights).exists() else f"{weights.meta['_file_size']:.0f} MB"


class _Torchvision:
    """How to build one of torchvision's networks."""

    def __init__(self, name: str) -> None:
        known = model_names()
        if name not in known:
            close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(close)}" if close else "see live-cam run --help"
            raise UsageError(
                f"there is no network {shortened(name)!r} among torchvision's classifiers; {hint}?"
            )
        self.name = name
        self.weights: WeightsEnum = models.get_model_weights(name).DEFAULT
        preset = self.weights.transforms()
        self.input_size = (preset.crop_size[0], preset.crop_size[0])
        self.mean = _triple(preset.mean)
        self.std = _triple(preset.std)

    def pretrained(self) -> nn.Module:
        with _SkipInitialisation():
            return load_pretrained(self.name, self.weights)

    def build(self, state: StateDict, classes: int = _IMAGENET_CLASSES) -> nn.Module:
        options: dict[str, object] = {"num_classes": classes}
        if self.name in _INCEPTIONS:
            auxiliary = any(key.lower().startswith("aux") for key in state)
            options |= {"transform_input": True, "aux_logits": auxiliary, "init_weights": False}
        with _SkipInitialisation():
            module = models.get_model(self.name, weights=None, **options)
        assert isinstance(module, nn.Module)
        return module


class _Embedded:
    """How to build the network whose weights come with a Python package."""

    input_size = (224, 224)
    mean = _EMBEDDED_NORM
    std = _EMBEDDED_NORM

    def pretrained(self) -> nn.Module:
        module = self.build({})
        module.load_state_dict(load_embedded(module.state_dict()))
        return module

    def build(self, _state: StateDict, classes: int = _IMAGENET_CLASSES) -> nn.Module:
        try:
            import timm
        except ImportError as error:
            raise WeightsError(
                f"{EMBEDDED_MODEL} needs the package timm; "
                "install it with: pip install 'live-cam[demo]'"
            ) from error
        with _SkipInitialisation():
            module = timm.create_model(
                "tf_efficientnet_lite0", pretrained=False, num_classes=classes
            )
        assert isinstance(module, nn.Module)
        return module


class _SkipInitialisation(TorchFunctionMode):
    """Leaves parameters as they were allocated: VGG-19's random values cost 2 s for nothing."""

    def __torch_function__(  # type: ignore[no-untyped-def]
        self,
        func,
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def _classifier_key(module: nn.Module) -> str:
    """The last tensor of every supported network belongs to its classifier, one row a class."""
    return next(reversed(module.state_dict()))


def _load(recipe: _Torchvision | _Embedded, state: StateDict, name: str, path: Path) -> nn.Module:
    module = recipe.build(state)
    rows = state.get(_classifier_key(module))
    classes = len(rows) if rows is not None and rows.ndim else _IMAGENET_CLASSES
    if not classes:
        raise UsageError(f"the weights {path} are of a network without classes; train it on some.")
    if classes != _IMAGENET_CLASSES:
        # What does not fit in any case is refused before room is made for that many classes.
        _check_fit(module, state, name, path, classes)
        module = recipe.build(state, classes)
    _check_fit(module, state, name, path)
    module.load_state_dict(state, strict=False)
    _check_finite(module, path)
    return module


def _check_fit(
    module: nn.Module, state: StateDict, name: str, path: Path, classes: int | None = None
) -> None:
    """Refuse weights that are not those of a network.

    Args:
        module: The network.
        state: The weights.
        name: The network's name.
        path: Where the weights come from.
        classes: How many classes they are for, where the network has ImageNet's.
    """
    expected = module.state_dict()
    problems = {
        "missing": [key for key in expected if key not in state and not _is_counter(key)],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            key
            for key, tensor in expected.items()
            if key in state and not _fits(state[key].shape, tensor.shape, classes)
        ],
    }
    if any(problems.values()):
        listing = "; ".join(
            f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys
        )
        raise UsageError(
            f"the weights {path} are not those of a {name}: of its {len(expected)} tensors, "
            f"{listing}; name the network that they belong to with --model."
        )


def _fits(shape: torch.Size, expected: torch.Size, classes: int | None) -> bool:
    for_classes = classes, *expected[1:]
    return shape == expected or (expected[:1] == (_IMAGENET_CLASSES,) and shape == for_classes)


def _check_finite(module: nn.Module, path: Path) -> None:
    broken = [
        key for key, tensor in module.state_dict().items() if not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise UsageError(
            f"the weights {path} hold NaN or infinity, in {len(broken)} of their tensors "
            f"({_some(broken)}); the training went wrong, so take those of an earlier epoch."
        )


def _is_counter(key: str) -> bool:
    """Batch normalisation's counter is of no use in `eval()`, and old checkpoints lack it."""
    return key.endswith("num_batches_tracked")


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(map(shortened, keys[:_SHOWN_KEYS]))
    return shown + (", …" if len(keys) > _SHOWN_KEYS else "")


def _labels(path: Path | None, outputs: int, name: str) -> tuple[str, ...]:
    if path is not None:
        labels = load_labels(path)
        if len(labels) != outputs:
            raise UsageError(
                f"{path} has {len(labels)} labels, but {name} has {outputs} outputs; "
                "there must be one label for each, in their order."
            )
        return labels
    imagenet = models.get_model_weights("vgg19").DEFAULT.meta["categories"]
    if outputs == _IMAGENET_CLASSES:
        return tuple(imagenet)
    return tuple(f"class {index}" for index in range(outputs))


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)
