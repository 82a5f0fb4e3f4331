"""Which layer's activations Grad-CAM weighs: found from the network itself, or by its name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torchvision.ops import Permute

from live_cam.errors import UsageError
from live_cam.network.axes import Axes
from live_cam.network.axis_tracing import AxesFollower

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_POOLING = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
_HANDING_ON = (nn.Dropout, nn.Identity, Permute)
"""What gives, in `eval()`, the very features that it was given."""


class TargetLayer(NamedTuple):
    """The layer whose activations are explained."""

    name: str
    """Dotted."""
    axes: Axes
    """What the axes of its activations mean."""
    classes: int
    """How many scores the network gives."""


def find_target_layer(module: nn.Module, example: Tensor, name: str | None = None) -> TargetLayer:
    """Return the last layer that still says where things are.

    Grad-CAM (Selvaraju et al. 2017, section 3) takes the last convolutional layer: the deepest
    features that keep their place. Found by watching one forward pass: the last module to finish
    whose output is a map of features (N×C×H×W with H and W above 1), except that

    - pooling does not count, since it only makes the map coarser (for VGG-19 this gives the ReLU
      `features.35` at 14×14, and not the max pooling behind it at 7×7);
    - maps with one channel a class do not count: they are scores, not features (SqueezeNet);
    - of features with their channels last, tokens among them, those count that a normalisation
      gave: between two of these a transformer's features lie in pieces (the queries, a window);
    - where tokens without a place (the class token) are among them, the scores must depend on the
      others, too: behind a vision transformer's last attention they no longer do.

    What axes features have, and which tokens have a place, is followed from the image on.

    Args:
        module: A classification network in `eval()`.
        example: One input, N×3×H×W, on the network's device.
        name: The layer, where it is known: its axes are what remains to be found.

    Raises:
        UsageError: No module of the network has such an output, the last ones cannot be followed,
            or there is no layer `name`.
    """
    if name is not None:
        get_layer(module, name)
    trace = _Trace(module, example)
    if name is None:
        name = trace.target(module, example)
    return TargetLayer(name, trace.axes(name), trace.classes)


def get_layer(module: nn.Module, name: str) -> nn.Module:
    """Return the submodule of that dotted name.

    Raises:
        UsageError: There is none; the message names the closest ones.
    """
    layers: dict[str, nn.Module] = {path: layer for path, layer in module.named_modules() if path}
    if name in layers:
        return layers[name]
    close = difflib.get_close_matches(name, layers, n=5, cutoff=0.4) or list(layers)[-5:]
    raise UsageError(
        f"{type(module).__name__} has no layer {name!r}; the closest ones are {', '.join(close)}."
    )


class _Finished(NamedTuple):
    name: str
    layer: nn.Module
    output: Tensor
    axes: Axes


class _Trace:
    """What the modules of a network gave in one forward pass, in the order they finished."""

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self._finished: list[_Finished] = []
        follower = AxesFollower(example)
        hooks = [
            layer.register_forward_hook(self._recording(name, follower))
            for name, layer in module.named_modules()
            if name
        ]
        try:
            with torch.no_grad(), follower:
                self.classes = int(module(example).shape[-1])
        finally:
            for hook in hooks:
                hook.remove()

    def _recording(self, name: str, follower: AxesFollower):  # type: ignore[no-untyped-def]
        # torch's type of a hook is private
        def hook(layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                axes = follower.axes_of(output)
                self._finished.append(_Finished(name, layer, output, axes))

        return hook

    def axes(self, name: str) -> Axes:
        """Return the axes of what a layer gave; of one that took no part, none."""
        return next((each.axes for each in self._finished if each.name == name), Axes(()))

    def target(self, module: nn.Module, example: Tensor) -> str:
        spread = [each for each in self._computed() if _is_spread(each)]
        if spread and not set("HWT") & set(spread[-1].axes.roles):
            raise UsageError(
                f"where in the image the features of {type(module).__name__} lie cannot be "
                f"followed up to {spread[-1].name!r}; name a layer before with --layer."
            )
        for each in reversed(spread):
            if self._is_map(each) and not (
                each.axes.placeless and not _matters(each, module, example)
            ):
                return each.name
        raise UsageError(
            f"no layer of this {type(module).__name__} gives a map of features; "
            "name one yourself with --layer."
        )

    def _computed(self) -> Iterator[_Finished]:
        """Give what was not just handed on, or only made coarser."""
        pooled: list[Tensor] = []
        for each in self._finished:
            if isinstance(each.layer, _POOLING):
                pooled.append(each.output)
            elif isinstance(each.layer, _HANDING_ON):
                continue
            elif not any(each.output is tensor for tensor in pooled):
                yield each  # and no container that hands on what its last child, a pooling, gave

    def _is_map(self, each: _Finished) -> bool:
        if not each.axes.are_maps:
            return False
        maps = each.axes.as_maps(each.output)
        if min(maps.shape[2:]) == 1:
            return False
        if each.axes.roles == "NCHW":
            return maps.shape[1] != self.classes
        kind, called = type(each.layer).__name__, each.name.rpartition(".")[2]
        return "norm" in f"{kind} {called}".lower()


def _is_spread(each: _Finished) -> bool:
    """Whether there are several features, each at several places or in several pieces."""
    return sum(size > 1 for size in each.output.shape[1:]) > 1


def _matters(layer: _Finished, module: nn.Module, example: Tensor) -> bool:
    """Whether the scores depend on the features that have a place, whatever the weights are.

    What depends on something that is not a number is not a number itself, by a weight of 0 too.
    """

    def spoil(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        spoilt = output.clone()
        layer.axes.as_maps(spoilt).fill_(torch.nan)
        return spoilt

    hook = layer.layer.register_forward_hook(spoil)
    try:
        with torch.no_grad():
            return bool(torch.isnan(module(example)).any())
    finally:
        hook.remove()
