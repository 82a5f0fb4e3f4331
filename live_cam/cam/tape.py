"""The autograd tape, cut at the target layers: nothing below the lowest one is differentiated."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.errors import UsageError
from live_cam.network.axis_tracing import AxisTracer
from live_cam.network.target_layer import find_target_layer, get_layer, layer_names
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn
    from typing_extensions import Self

    from live_cam.network.axes import Axes
    from live_cam.network.precision import Precision
    from live_cam.network.target_layer import Layers


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into `eval()`, and restore the mode of each of its layers afterwards."""
    was_training = [layer for layer in module.modules() if layer.training]
    module.eval()
    try:
        yield
    finally:
        for layer in was_training:
            layer.training = True


class Activation(NamedTuple):
    """The output of a target layer, on the tape."""

    features: Tensor
    """Of any shape and floating-point dtype; it can be differentiated with respect to."""
    axes: Axes
    """The meaning of its axes."""

    def maps(self) -> Tensor:
        """Return the features as N×K×h×w float32, off the tape.

        Raises:
            UsageError: Their position in the image is unknown.
        """
        return self.axes.as_maps(self.features.detach().float())


class CutTape(Closing):
    """Runs a network with hooks on its target layers that cut the tape.

    The layers below the first target layer run without a tape. Those above it see a copy of its
    activations, because a ReLU after the layer may work in place (all of torchvision's do) and
    would change the very activations that are explained.

    Closing it restores the module: no hook stays, training flags are as before, and the
    parameters' `requires_grad` and `grad` are never touched.
    """

    def __init__(
        self, module: nn.Module, layer: Layers = None, axes: Sequence[Axes] | None = None
    ) -> None:
        """Resolve the target layers; the module is unchanged until the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: The target layers, each by its dotted name or as a module. None finds one in the
                first forward pass (see `find_target_layer`).
            axes: The meaning of each activation's axes, or None to trace them in the first forward
                pass with each image size.

        Raises:
            UsageError: The module has no such layer.
        """
        self._module = module
        names = layer_names(module, layer)
        self._targets = {name: get_layer(module, name) for name in names}
        self._given_axes = dict(zip(names, axes, strict=True)) if axes else None
        self._traced_axes: dict[torch.Size, Mapping[str, Axes]] = {}
        self._activations: dict[str, Tensor] = {}
        self._opened: ExitStack | None = None

    def __enter__(self) -> Self:
        self._opened = ExitStack()
        self._opened.enter_context(evaluating(self._module))
        self._add_hooks(self._opened)
        return self

    def close(self) -> None:
        """Remove the hooks and restore the training flags. May be called twice."""
        opened, self._opened = self._opened, None
        if opened:
            opened.close()

    def run(self, x: Tensor, precision: Precision) -> tuple[Tensor, list[Activation]]:
        """Run the network once, with a tape that starts at the lowest target layer.

        Args:
            x: N×3×H×W float32, normalised as the network expects, on its device.
            precision: The number format.

        Returns:
            N×C float32 logits, with a tape that starts at the activations, and the activations in
            the order of the layers.

        Raises:
            UsageError: A layer takes no part or outputs no features, or none can be found.
            RuntimeError: Called outside the `with` block.
        """
        if self._opened is None:
            raise RuntimeError("a network can be explained only inside the `with` block")
        size = x.shape[1:]
        if not self._targets:
            target = find_target_layer(self._module, x[:1])
            self._targets = {target.name: get_layer(self._module, target.name)}
            self._traced_axes[size] = {target.name: target.axes}
            self._add_hooks(self._opened)
        known = self._given_axes or self._traced_axes.get(size)
        try:
            # The hooks enable gradients for the layers above; leaving this block disables them.
            with torch.no_grad():
                with precision.autocast():
                    logits = self._module(x) if known else self._trace(x)
                logits = logits.float()
            axes = self._given_axes or self._traced_axes[size]
            return logits, [self._activation(name, axes) for name in self._targets]
        finally:
            self._activations = {}

    def logits(self, x: Tensor, precision: Precision) -> Tensor:
        """Return N×C float32 logits, without a tape.

        Args:
            x: As in `run`.
            precision: As in `run`.
        """
        try:
            with torch.no_grad(), precision.autocast():
                return self._module(x).detach().float()  # type: ignore[no-any-return]
        finally:
            self._activations = {}

    def _add_hooks(self, opened: ExitStack) -> None:
        for name, target in self._targets.items():
            opened.callback(target.register_forward_hook(self._cutting_hook(name)).remove)

    def _trace(self, x: Tensor) -> Tensor:
        with AxisTracer(x) as tracer:
            logits: Tensor = self._module(x)
        self._traced_axes[x.shape[1:]] = {
            name: tracer.axes_of(features) for name, features in self._activations.items()
        }
        return logits

    def _activation(self, name: str, axes: Mapping[str, Axes]) -> Activation:
        if name not in self._activations:
            raise UsageError(
                f"the layer {name!r} takes no part in the forward pass; "
                "choose another one with `layer`."
            )
        return Activation(self._activations[name], axes[name])

    def _cutting_hook(self, name: str):  # type: ignore[no-untyped-def]  # torch's hook type is private
        def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, torch.Tensor) or not output.is_floating_point():
                raise UsageError(
                    f"the layer {name!r} outputs {type(output).__name__}, not a tensor of "
                    "features; choose a layer inside or before it with `layer`."
                )
            torch.set_grad_enabled(True)
            # The output of a lower target layer stays on its tape.
            features = output if output.requires_grad else output.detach().requires_grad_(True)
            self._activations[name] = features
            return features.clone()

        return hook
