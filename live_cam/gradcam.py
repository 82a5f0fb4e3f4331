"""The hook, one forward pass, one gradient: which part of a picture speaks for a class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.closing import Closing
from live_cam.errors import UsageError
from live_cam.methods import METHODS
from live_cam.precision import Precision, synchronize
from live_cam.target_layer import get_layer
from live_cam.timing import StageTimer

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle
    from typing_extensions import Self


class CAMResult(NamedTuple):
    """What one call of `GradCAM` found for N pictures."""

    cam: Tensor
    """N×h×w float32, at least 0, not normalised, on the input's device."""
    logits: Tensor
    """N×C float32."""
    class_index: Tensor
    """N int64: the class that each map explains."""


class Evidence(NamedTuple):
    """What every method of `live_cam.methods` makes its map of, for N pictures and Q classes."""

    activations: Tensor
    """N×K×h×w float32: the target layer's K feature maps."""
    gradients: Tensor
    """N×Q×K×h×w float32: of each class's score (before softmax) by the activations."""
    logits: Tensor
    """N×C float32."""
    classes: Tensor
    """N×Q int64: which class each gradient is of."""


class GradCAM(Closing):
    """Explains the scores of any network by the activations of any of its layers.

    While it is open, a forward hook on the target layer cuts the tape: the layers below run
    without one, and the layers above see a copy of the activations that requires a gradient. A
    copy, because a ReLU behind the layer may work in place (all of torchvision's do) and would
    change the very activations that are explained.

    Leaving the `with` block, by an exception too, leaves the module as it was found: no hook, its
    training flags and its parameters' `requires_grad` and `grad` untouched.

    Example:
        with GradCAM(module, "features.35") as cam:
            result = cam(x)
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        method: str = "gradcam",
        precision: Precision | None = None,
    ) -> None:
        """Name what is explained; nothing is changed before the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: Dotted name of the target layer.
            method: A name in `live_cam.methods.METHODS`.
            precision: The number format; None is float32.

        Raises:
            UsageError: The module has no such layer, or there is no such method.
        """
        if method not in METHODS:
            raise UsageError(f"there is no method {method!r}; choose {', '.join(METHODS)}.")
        self._module = module
        self._target = get_layer(module, layer)
        self._layer = layer
        self._method = METHODS[method]
        self._precision = precision or Precision("fp32")
        self._hook: RemovableHandle | None = None
        self._was_training: list[nn.Module] = []
        self._activation: Tensor | None = None

    def __enter__(self) -> Self:
        self._was_training = [module for module in self._module.modules() if module.training]
        self._module.eval()
        self._hook = self._target.register_forward_hook(self._cut_tape)
        return self

    def close(self) -> None:
        """Remove the hook and restore the training flags. May be called twice."""
        if self._hook is not None:
            self._hook.remove()
        self._hook = None
        for module in self._was_training:
            module.training = True
        self._was_training = []
        self._activation = None

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """Explain a batch of pictures with one forward pass and one gradient.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
            class_index: The class to explain: one for all, or N int64; None: each one's top class.
            timer: Is told how long the stages `forward` and `backward` took.

        Raises:
            UsageError: The class or the layer cannot be explained.
            NonFiniteError: The scores, activations or gradients are NaN or infinite.
            RuntimeError: Called outside the `with` block.
        """
        if self._hook is None:
            raise RuntimeError("GradCAM explains only inside its `with` block")
        timer = timer or StageTimer()
        self._activation = None
        # The hook turns the tape on for the layers above it; leaving this block turns it off.
        with torch.no_grad():
            with timer.stage("forward"):
                with self._precision.autocast():
                    logits = self._module(x).float()
                synchronize(x.device)
            with timer.stage("backward"):
                cam, classes = self._explain(logits, class_index)
                synchronize(x.device)
        if not _finite(logits, cam):
            raise self._precision.not_finite()
        return CAMResult(cam, logits.detach(), classes)

    def evidence(self, x: Tensor, wanted: Tensor) -> Evidence:
        """Give what every method makes its map of, for several classes, by one forward pass.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
            wanted: Q int64 on the CPU: a class, or -1 for the most probable one, -2 for the
                second, and so on.

        Raises:
            UsageError: A class or the layer cannot be explained.
            NonFiniteError: The scores, activations or gradients are NaN or infinite.
            RuntimeError: Called outside the `with` block.
        """
        if self._hook is None:
            raise RuntimeError("GradCAM explains only inside its `with` block")
        self._activation = None
        with torch.no_grad():
            with self._precision.autocast():
                logits = self._module(x).float()
            return gather_evidence(logits, self._cut_activation(), wanted, self._precision)

    def scores(self, x: Tensor) -> Tensor:
        """Return N×C float32 logits without a map, and without a tape.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
        """
        try:
            with torch.no_grad(), self._precision.autocast():
                return self._module(x).detach().float()  # type: ignore[no-any-return]
        finally:
            self._activation = None

    def _cut_tape(self, _module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            raise UsageError(
                f"the layer {self._layer!r} gives {type(output).__name__}, not a tensor of "
                "features; choose a layer inside or before it with --layer."
            )
        torch.set_grad_enabled(True)
        self._activation = output.detach().requires_grad_(True)
        return self._activation.clone()

    def _cut_activation(self) -> Tensor:
        activation, self._activation = self._activation, None
        if activation is None:
            raise UsageError(
                f"the layer {self._layer!r} takes no part in the forward pass; "
                "choose another one with --layer."
            )
        return activation

    def _explain(self, logits: Tensor, class_index: int | Tensor | None) -> tuple[Tensor, Tensor]:
        activation = self._cut_activation()
        classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
        with torch.enable_grad():
            score = logits.gather(1, classes[:, None]).sum()
        gradient = self._precision.gradient(score, activation)
        activation = activation.detach().float()
        return self._method(as_maps(activation), as_maps(gradient)), classes


def wanted_classes(class_index: int | Tensor | None, batch: int, classes: int) -> Tensor:
    """Return the class that each picture is asked about, -1 for its top class.

    Nothing depends on the scores, so that no device is waited for.

    Args:
        class_index: One for all, or N int64; None: each one's top class.
        batch: N.
        classes: How many classes the network has.

    Returns:
        N int64, on the CPU; -1 for the top class.

    Raises:
        UsageError: There is no such class.
    """
    if class_index is None:
        return torch.full((batch,), -1)
    wanted = torch.as_tensor(class_index, dtype=torch.int64).cpu()
    if int(wanted.min()) < 0 or int(wanted.max()) >= classes:
        raise UsageError(
            f"the class {class_index} does not exist: the network's classes are 0 to {classes - 1}."
        )
    return wanted.expand(batch).contiguous()


def chosen_classes(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the class to explain in each picture, on the logits' device.

    Args:
        logits: N×C.
        wanted: N int64, as `wanted_classes` returns them.
    """
    best = logits.detach().argmax(dim=1)
    wanted = wanted.to(logits.device, non_blocking=True)
    return torch.where(wanted < 0, best, wanted)


def gather_evidence(
    logits: Tensor, activation: Tensor, wanted: Tensor, precision: Precision
) -> Evidence:
    """Differentiate the scores of several classes in one batched backward pass.

    Args:
        logits: N×C float32, with a tape that begins at `activation`.
        activation: The target layer's, of any number format.
        wanted: Q int64, as in `GradCAM.evidence`. A rank beyond the last class is the last one's.
        precision: The number format and scale of the backward pass.

    Raises:
        UsageError: A class does not exist, or the scores do not depend on the activation.
        NonFiniteError: The scores, activations or gradients are NaN or infinite.
    """
    count = logits.shape[1]
    if int(wanted.max()) >= count:
        raise UsageError(
            f"the class {int(wanted.max())} does not exist: the network's classes are 0 to "
            f"{count - 1}."
        )
    if not _finite(logits.detach(), activation.detach()):
        raise precision.not_finite()
    ranked = logits.detach().argsort(dim=1, descending=True)
    wanted = wanted.to(logits.device)
    ranks = (-1 - wanted).clamp(0, count - 1).expand(len(logits), -1)
    classes = torch.where(wanted < 0, ranked.gather(1, ranks), wanted)
    with torch.enable_grad():
        scores = logits.gather(1, classes)
    gradients = precision.gradients(scores, activation)
    maps = torch.stack([as_maps(each) for each in gradients], dim=1)
    return Evidence(as_maps(activation.detach().float()), maps, logits.detach(), classes)


def _finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def as_maps(features: Tensor) -> Tensor:
    """Return features as N×K×h×w: maps as they are, N×T×K tokens laid out on their square grid."""
    if features.ndim == 4 and min(features.shape[2:]) >= 1:
        return features
    if features.ndim == 3:
        side = math.isqrt(features.shape[1])
        extra = features.shape[1] - side * side
        # One token beyond the square is the class token, which comes first and has no place.
        if extra <= 1 and side > 1:
            grid = features[:, extra:].reshape(len(features), side, side, -1)
            return grid.permute(0, 3, 1, 2)
    raise UsageError(
        f"the target layer gives {'×'.join(map(str, features.shape))}, which is neither a map of "
        "features (N×C×H×W) nor square tokens (N×T×C); choose another one with --layer."
    )
