"""The part of a network behind the target layer, and the gradient of its logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from live_cam.cam.gradcam import (
    CAMResult,
    Evidence,
    chosen_classes,
    gather_evidence,
    summed_logit,
)
from live_cam.cam.methods import gradcam, weighted_sum
from live_cam.cam.tape import Activation

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from live_cam.network.axes import Axes
    from live_cam.network.precision import Precision


class Head(Protocol):
    """Computes logits and a map from activations, without waiting for the device."""

    def explain(self, features: tuple[Tensor, ...], wanted: Tensor) -> CAMResult:
        """Compute Grad-CAM of one class in each image.

        Args:
            features: The output of a `Cut`'s trunk: the target layer's activations first.
            wanted: N int64: the class to explain in each image, or -1 for its top class.

        Returns:
            The result, on the activations' device. The map is NaN if the gradient is not finite.

        Raises:
            UsageError: The layer cannot be explained.
        """

    def logits(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return N×C logits without a map.

        Args:
            features: As above.
        """


class AutogradHead:
    """Any head: autograd with a tape that starts at the target layer's activations."""

    def __init__(self, head: nn.Module, axes: Axes, precision: Precision) -> None:
        """Wrap the upper half of a cut network.

        Args:
            head: From the trunk's tensors to N×C logits.
            axes: The meaning of the activations' axes.
            precision: The number format.
        """
        self._head = head
        self._axes = axes
        self._precision = precision

    def explain(self, features: tuple[Tensor, ...], wanted: Tensor) -> CAMResult:
        activation, logits = self._taped(features)
        with torch.enable_grad():
            classes = chosen_classes(logits, wanted)
            logit = summed_logit(logits, classes)
            gradient = self._precision.gradient_at_scale(logit, activation.features)
        cam = gradcam(activation.maps(), self._axes.as_maps(gradient))
        return _checked(cam, gradient, logits.detach(), classes)

    def evidence(self, features: tuple[Tensor, ...], wanted: Tensor) -> Evidence:
        """Return the evidence as `Engine.evidence` does, on the activations' device."""
        activation, logits = self._taped(features)
        return gather_evidence(logits, activation, wanted, self._precision)

    def _taped(self, features: tuple[Tensor, ...]) -> tuple[Activation, Tensor]:
        activation = features[0].detach().requires_grad_()
        with torch.enable_grad(), self._precision.autocast():
            # A copy, as a ReLU behind the layer may work in place.
            logits = self._head(activation.clone(), *features[1:]).float()
        return Activation(activation, self._axes), logits

    def logits(self, features: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            return self._head(features[0].clone(), *features[1:])  # type: ignore[no-any-return]


class ClosedFormHead:
    """A head with a closed-form pooled gradient: Grad-CAM without a tape."""

    def __init__(
        self,
        logits: Callable[[Tensor], tuple[Tensor, ...]],
        pooled_gradient: Callable[..., Tensor],
    ) -> None:
        """Wrap the two parts of a `ClosedForm`, or their equivalents.

        Args:
            logits: From N×K×h×w activations to N×C logits and the output of each ReLU.
            pooled_gradient: From N classes and the outputs of the ReLUs to N×K sums.
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
    """Make a map NaN if its gradient is not finite, which the map's ReLU may hide."""
    finite = torch.isfinite(gradient).all()
    return CAMResult(torch.where(finite, cam, torch.nan), logits, classes)
