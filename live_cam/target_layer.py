"""Which layer's activations Grad-CAM weighs: found from the network itself, or by its name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import torch
from torch import nn

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

_POOLING = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)


def find_target_layer(module: nn.Module, example: Tensor) -> str:
    """Return the dotted name of the last layer that still says where things are.

    Grad-CAM (Selvaraju et al. 2017, section 3) takes the last convolutional layer: the deepest
    features that keep their place. Found by watching one forward pass: the last module to finish
    whose output is a map of features (N×C×H×W with H and W above 1), except that

    - pooling does not count, since it only makes the map coarser (for VGG-19 this gives the ReLU
      `features.35` at 14×14, and not the max pooling behind it at 7×7);
    - maps with one channel a class do not count: they are scores, not features (SqueezeNet);
    - where attention follows, it is what feeds the last attention: behind it, only the class
      token has a gradient (vision transformers; their N×T×C tokens count as a map).

    Args:
        module: A classification network in `eval()`.
        example: One input, N×3×H×W, on the network's device.

    Raises:
        UsageError: No module of the network has such an output.
    """
    trace = _Trace(module)
    try:
        with torch.no_grad():
            logits = module(example)
    finally:
        trace.remove()
    name = trace.before_attention or trace.last_map(classes=int(logits.shape[-1]))
    if name is None:
        raise UsageError(
            f"no layer of this {type(module).__name__} gives a map of features; "
            "name one yourself with --layer."
        )
    return name


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


class _Trace:
    """What the modules of a network gave in one forward pass, in the order they finished."""

    def __init__(self, module: nn.Module) -> None:
        self.before_attention: str | None = None
        self._finished: list[tuple[str, nn.Module, Tensor]] = []
        self._hooks = []
        for name, layer in module.named_modules():
            if not name:
                continue
            self._hooks.append(layer.register_forward_hook(self._record(name)))
            if isinstance(layer, nn.MultiheadAttention):
                self._hooks.append(layer.register_forward_pre_hook(self._attend))

    def _record(self, name: str):  # type: ignore[no-untyped-def]  # torch's hook type is private
        def hook(layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                self._finished.append((name, layer, output))

        return hook

    def _attend(self, _layer: nn.Module, inputs: tuple[object, ...]) -> None:
        tokens = inputs[0] if inputs else None
        for name, _, output in reversed(self._finished):
            if output is tokens:
                self.before_attention = name
                break

    def last_map(self, *, classes: int) -> str | None:
        pooled: list[Tensor] = []
        found = None
        for name, layer, output in self._finished:
            if isinstance(layer, nn.Dropout):
                continue  # in `eval()` it hands on what it was given
            if isinstance(layer, _POOLING):
                pooled.append(output)
            elif any(output is tensor for tensor in pooled):
                continue  # a container that hands on what its last child, a pooling, gave
            elif output.ndim == 4 and min(output.shape[2:]) > 1 and output.shape[1] != classes:
                found = name
        return found

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()
