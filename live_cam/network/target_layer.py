"""The layer whose activations are explained: found from the network itself, or given."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import torch
from torch import nn
from torchvision.ops import Permute

from live_cam.errors import UsageError
from live_cam.network.axes import Axes
from live_cam.network.axis_tracing import AxisTracer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

Layer: TypeAlias = str | nn.Module
"""A layer of a network: its dotted name, or the module itself."""
Layers: TypeAlias = Layer | Sequence[Layer] | None
"""One layer, several, or None to find one."""

_POOLING: Final = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
_PASSING_ON: Final = (nn.Dropout, nn.Identity, Permute)
"""Modules that, in `eval()`, output the features that they receive."""


class TargetLayer(NamedTuple):
    """The layer whose activations are explained."""

    name: str
    """Its dotted name."""
    axes: Axes
    """The meaning of the axes of its activations."""
    classes: int
    """The number of logits that the network outputs."""


def find_target_layer(module: nn.Module, example: Tensor, name: str | None = None) -> TargetLayer:
    """Return the last layer whose features still have a position.

    Grad-CAM (Selvaraju et al. 2017, section 3) uses the last convolutional layer: the deepest
    features that keep their position. Here it is found in one forward pass, as the last module to
    finish whose output is a map of features (N×C×H×W with H and W above 1), with these exceptions:

    - Pooling does not count, since it only makes the map coarser. (For VGG-19 this gives the ReLU
      `features.35` at 14×14 rather than the max pooling after it at 7×7.)
    - Maps with one channel per class do not count: they are logits, not features (SqueezeNet).
    - Among features with their channels last, tokens included, only the output of a normalisation
      counts. Between two of these, a transformer splits its features (into queries or windows).
    - If the features include prefix tokens (the class token), the logits must depend on the other
      tokens, too. After a vision transformer's last attention they no longer do.

    The meaning of the axes and the tokens' positions are traced from the image onwards.

    Args:
        module: A classification network in `eval()`.
        example: One input, N×3×H×W, on the network's device.
        name: The layer, if it is known; then only its axes are traced.

    Raises:
        UsageError: No module has such an output, the last ones cannot be traced, or there is no
            layer `name`.
    """
    if name is not None:
        get_layer(module, name)
    trace = _Trace(module, example)
    if name is None:
        name = trace.target(module, example)
    return TargetLayer(name, trace.axes(name), trace.classes)


def get_layer(module: nn.Module, name: str) -> nn.Module:
    """Return the submodule with this dotted name.

    Raises:
        UsageError: There is none; the message names the closest ones.
    """
    layers: dict[str, nn.Module] = {path: layer for path, layer in module.named_modules() if path}
    if name in layers:
        return layers[name]
    close = difflib.get_close_matches(name, layers, n=5, cutoff=0.4) or list(layers)[-5:]
    raise UsageError(
        f"{type(module).__name__} has no layer {name!r}; "
        f"the closest ones for `layer` are {', '.join(close)}."
    )


def layer_names(module: nn.Module, layers: Layers) -> list[str]:
    """Return the dotted names of the given layers; an empty list for None.

    Raises:
        UsageError: The module has no such layer, or this is no layer.
    """
    if layers is None:
        return []
    if isinstance(layers, (str, nn.Module)) or not isinstance(layers, Sequence):
        return [_layer_name(module, layers)]
    if not layers:
        raise UsageError("`layer` is an empty list; give at least one layer.")
    return [_layer_name(module, layer) for layer in layers]


def _layer_name(module: nn.Module, layer: object) -> str:
    if isinstance(layer, str):
        get_layer(module, layer)
        return layer
    if not isinstance(layer, nn.Module):
        raise UsageError(
            f"`layer` is {layer!r}; give a layer's dotted name, its module, or a list of these."
        )
    names = [name for name, submodule in module.named_modules() if submodule is layer]
    if any(names):
        return str(names[0])
    raise UsageError(
        f"the {type(layer).__name__} given as `layer` is not a layer of this "
        f"{type(module).__name__}; give one of its submodules."
    )


class _Candidate(NamedTuple):
    name: str
    layer: nn.Module
    output: Tensor
    axes: Axes


class _Trace:
    """The outputs of a network's modules in one forward pass, in the order they finished."""

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self._candidates: list[_Candidate] = []
        tracer = AxisTracer(example)
        hooks = [
            layer.register_forward_hook(self._recording_hook(name, tracer))
            for name, layer in module.named_modules()
            if name
        ]
        try:
            with torch.no_grad(), tracer:
                self.classes = int(module(example).shape[-1])
        finally:
            for hook in hooks:
                hook.remove()

    def _recording_hook(self, name: str, tracer: AxisTracer):  # type: ignore[no-untyped-def]
        # torch's hook type is private
        def hook(layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                axes = tracer.axes_of(output)
                self._candidates.append(_Candidate(name, layer, output, axes))

        return hook

    def axes(self, name: str) -> Axes:
        """Return the axes of a layer's output, or none if the layer took no part."""
        return next((each.axes for each in self._candidates if each.name == name), Axes(()))

    def target(self, module: nn.Module, example: Tensor) -> str:
        spread = [candidate for candidate in self._computed() if _is_spread(candidate)]
        if spread and not set("HWT") & set(spread[-1].axes.roles):
            raise UsageError(
                f"the positions of the features of {type(module).__name__} cannot be traced up to "
                f"{spread[-1].name!r}; name an earlier layer with `layer`."
            )
        for candidate in reversed(spread):
            if self._is_map(candidate) and not (
                candidate.axes.prefix_tokens and not _matters(candidate, module, example)
            ):
                return candidate.name
        raise UsageError(
            f"no layer of this {type(module).__name__} outputs a map of features; "
            "name one with `layer`."
        )

    def _computed(self) -> Iterator[_Candidate]:
        """Yield outputs that were computed, neither passed on nor pooled."""
        pooled: list[Tensor] = []
        for candidate in self._candidates:
            if isinstance(candidate.layer, _POOLING):
                pooled.append(candidate.output)
            elif isinstance(candidate.layer, _PASSING_ON):
                continue
            elif not any(candidate.output is tensor for tensor in pooled):
                yield candidate  # not a container that passes on the output of a pooling

    def _is_map(self, candidate: _Candidate) -> bool:
        if not candidate.axes.are_maps:
            return False
        maps = candidate.axes.as_maps(candidate.output)
        if min(maps.shape[2:]) == 1:
            return False
        if candidate.axes.roles == "NCHW":
            return maps.shape[1] != self.classes
        kind, attribute = type(candidate.layer).__name__, candidate.name.rpartition(".")[2]
        return "norm" in f"{kind} {attribute}".lower()


def _is_spread(candidate: _Candidate) -> bool:
    """Whether there are several features, each at several positions or in several pieces."""
    return sum(size > 1 for size in candidate.output.shape[1:]) > 1


def _matters(candidate: _Candidate, module: nn.Module, example: Tensor) -> bool:
    """Whether the logits depend on the features that have a position, whatever the weights.

    NaN spreads to everything computed from it, even through a weight of 0.
    """

    def spoil(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        spoilt = output.clone()
        candidate.axes.as_maps(spoilt).fill_(torch.nan)
        return spoilt

    hook = candidate.layer.register_forward_hook(spoil)
    try:
        with torch.no_grad():
            return bool(torch.isnan(module(example)).any())
    finally:
        hook.remove()
