"""What lies behind the target layer, and the gradient of its scores: by the tape, or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from live_cam.cam.gradcam import (
    CAMResult,
    Evidence,
    chosen_classes,
    gather_evidence,
    summed_score,
)
from live_cam.cam.methods import gradcam, weighted_sum
from live_cam.cam.tape import Activation

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from live_cam.network.axes import Axes
    from live_cam.network.precision import Precision


class Head(Protocol):
    """From activations to scores and a map, without waiting for the device."""

    def explain(self, features: tuple[Tensor, ...], wanted: Tensor) -> CAMResult:
        """Explain.

        Args:
            features: What the trunk of a `Cut` gave: the target layer's activations first.
            wanted: N int64, the class to explain in each image; -1: its top class.

        Returns:
            On the activations' device. The map is NaN where the gradient is not finite.

        Raises:
            UsageError: The layer cannot be explained.
        """

    def logits(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return N×C logits alone.

        Args:
            features: As above.
        """


class AutogradHead:
    """Any head: the tape begins at the target layer's activations."""

    def __init__(self, head: nn.Module, axes: Axes, precision: Precision) -> None:
        """Take the upper half of a cut network.

        Args:
            head: From the trunk's tensors to N×C logits.
            axes: What the axes of the target layer's activations mean.
            precision: In which the head computes.
        """
        self._head = head
        self._axes = axes
        self._precision = precision

    def explain(self, features: tuple[Tensor, ...], wanted: Tensor) -> CAMResult:
        activation, logits = self._taped(features)
        with torch.enable_grad():
            classes = chosen_classes(logits, wanted)
            score = summed_score(logits, classes)
            gradient = self._precision.gradient_at_scale(score, activation.features)
        cam = gradcam(activation.maps(), self._axes.as_maps(gradient))
        return _checked(cam, gradient, logits.detach(), classes)

    def evidence(self, features: tuple[Tensor, ...], wanted: Tensor) -> Evidence:
        """Return what every method makes its map of; see `Engine.evidence`."""
        activation, logits = self._taped(features)
        return gather_evidence(logits, activation, wanted, self._precision)

    def _taped(self, features: tuple[Tensor, ...]) -> tuple[Activation, Tensor]:
        activation = features[0].detach().requires_grad_()
        with torch.enable_grad(), self._precision.autocast():
            # A copy, since a ReLU behind the layer may work in place.
            logits = self._head(activation.clone(), *features[1:]).float()
        return Activation(activation, self._axes), logits

    def logits(self, features: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            return self._head(features[0].clone(), *features[1:])  # type: ignore[no-any-return]


class ClosedFormHead:
    """Grad-CAM alone, where the pooled gradient has a closed form."""

    def __init__(
        self,
        logits: Callable[[Tensor], tuple[Tensor, ...]],
        pooled_gradient: Callable[..., Tensor],
    ) -> None:
        """Take the two parts of a `ClosedForm`, or what computes the same.

        Args:
            logits: From N×K×h×w activations to N×C logits and what each ReLU gave.
            pooled_gradient: From N classes and what the ReLUs gave to N×K sums.
        """
        self._logits = logits
        self._pooled_gradient = pooled_gradient

    def explain(self, features: tuple[Tensor, ...], wanted: Tensor) -> CAMResult:
        activation = features[0]
        with torch.no_grad():
            logits, *hidden = self._logits(activation)
            classes = chosen_classes(logits, wanted)
            positions = activation.shape[2] * activation.shape[3]
            weights = self._pooled_gradient(classes, *hidden) / positions
            return _checked(weighted_sum(activation, weights), weights, logits, classes)

    def logits(self, features: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            return self._logits(features[0])[0]


def _checked(cam: Tensor, gradient: Tensor, logits: Tensor, classes: Tensor) -> CAMResult:
    """Mark a map whose gradient is not finite, which the ReLU may hide, as not finite itself."""
    finite = torch.isfinite(gradient).all()
    return CAMResult(torch.where(finite, cam, torch.nan), logits, classes)
