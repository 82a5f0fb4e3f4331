"""The tape, cut at target layers: nothing below the lowest of them is ever differentiated."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.errors import UsageError
from live_cam.network.axis_tracing import AxesFollower
from live_cam.network.target_layer import get_layer
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn
    from typing_extensions import Self

    from live_cam.network.axes import Axes
    from live_cam.network.precision import Precision


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into `eval()`, and each of its layers back as it was afterwards."""
    was_training = [layer for layer in module.modules() if layer.training]
    module.eval()
    try:
        yield
    finally:
        for layer in was_training:
            layer.training = True


class Activation(NamedTuple):
    """What a target layer gave, on the tape."""

    features: Tensor
    """Of any shape and number format; the gradient can be taken by it."""
    axes: Axes
    """What its axes mean."""

    def maps(self) -> Tensor:
        """Return the features as N×K×h×w float32, off the tape.

        Raises:
            UsageError: It is not known where in the image they lie.
        """
        return self.axes.as_maps(self.features.detach().float())


class CutTape(Closing):
    """Runs a network with hooks on its target layers that cut the tape.

    The layers below the first target layer run without a tape, and the layers above each see a
    copy of its activations. A copy, because a ReLU behind the layer may work in place (all of
    torchvision's do) and would change the very activations that are explained.

    Closing it leaves the module as it was found: no hook, its training flags and its parameters'
    `requires_grad` and `grad` untouched.
    """

    def __init__(
        self, module: nn.Module, layers: Sequence[str], axes: Sequence[Axes] | None = None
    ) -> None:
        """Name the layers; nothing is changed before the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layers: Dotted names of the target layers.
            axes: What the axes of each one's activations mean; None: followed through the first
                forward pass of each size of images.

        Raises:
            UsageError: The module has no such layer.
        """
        self._module = module
        self._targets = {layer: get_layer(module, layer) for layer in layers}
        self._given = dict(zip(layers, axes, strict=True)) if axes else None
        self._followed: dict[torch.Size, dict[str, Axes]] = {}
        self._kept: dict[str, Tensor] = {}
        self._opened: ExitStack | None = None

    def __enter__(self) -> Self:
        self._opened = ExitStack()
        self._opened.enter_context(evaluating(self._module))
        for layer, target in self._targets.items():
            hook = target.register_forward_hook(self._cutting(layer))
            self._opened.callback(hook.remove)
        return self

    def close(self) -> None:
        """Remove the hooks and restore the training flags. May be called twice."""
        opened, self._opened = self._opened, None
        if opened:
            opened.close()

    def run(self, x: Tensor, precision: Precision) -> tuple[Tensor, list[Activation]]:
        """Run the network once, with a tape from the lowest target layer on.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
            precision: The number format.

        Returns:
            N×C float32 logits, with a tape that begins at the activations; and these, in the
            order of the layers.

        Raises:
            UsageError: A layer takes no part, or gives no features.
            RuntimeError: Called outside the `with` block.
        """
        if self._opened is None:
            raise RuntimeError("a network is explained only inside the `with` block")
        size = x.shape[1:]
        known = self._given or self._followed.get(size)
        try:
            # The hooks turn the tape on for the layers above them; leaving this block ends that.
            with torch.no_grad():
                with precision.autocast():
                    logits = self._module(x) if known else self._follow(x)
                logits = logits.float()
            axes = self._given or self._followed[size]
            return logits, [self._activation(layer, axes) for layer in self._targets]
        finally:
            self._kept = {}

    def scores(self, x: Tensor, precision: Precision) -> Tensor:
        """Return N×C float32 logits alone, without a tape.

        Args:
            x: As above.
            precision: As above.
        """
        try:
            with torch.no_grad(), precision.autocast():
                return self._module(x).detach().float()  # type: ignore[no-any-return]
        finally:
            self._kept = {}

    def _follow(self, x: Tensor) -> Tensor:
        with AxesFollower(x) as follower:
            logits: Tensor = self._module(x)
        self._followed[x.shape[1:]] = {
            layer: follower.axes_of(kept) for layer, kept in self._kept.items()
        }
        return logits

    def _activation(self, layer: str, axes: dict[str, Axes]) -> Activation:
        if layer not in self._kept:
            raise UsageError(
                f"the layer {layer!r} takes no part in the forward pass; "
                "choose another one with --layer."
            )
        return Activation(self._kept[layer], axes[layer])

    def _cutting(self, layer: str):  # type: ignore[no-untyped-def]  # torch's hook type is private
        def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, torch.Tensor) or not output.is_floating_point():
                raise UsageError(
                    f"the layer {layer!r} gives {type(output).__name__}, not a tensor of "
                    "features; choose a layer inside or before it with --layer."
                )
            torch.set_grad_enabled(True)
            # What comes from a lower target layer stays on its tape.
            kept = output if output.requires_grad else output.detach().requires_grad_(True)
            self._kept[layer] = kept
            return kept.clone()

        return hook
