"""Pure functions from a layer's activations and gradients to a map of the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Method: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each feature map by its mean gradient, add them up and keep what speaks for the class.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017, equations 1 and 2.

    Args:
        activations: N×K×h×w float32, the target layer's K feature maps.
        gradients: N×K×h×w float32, of the class's score (before softmax) by the activations.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return weighted_sum(activations, gradients.mean(dim=(2, 3)))


def weighted_sum(activations: Tensor, weights: Tensor) -> Tensor:
    """Add feature maps up by their weights and keep what speaks for the class.

    Selvaraju et al. 2017, equation 2.

    Args:
        activations: N×K×h×w float32.
        weights: N×K float32, one for each feature map.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return torch.einsum("nk,nkhw->nhw", weights, activations).relu()


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply activations and gradients place by place, without pooling the gradients first.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional
    neural networks", 2020, section 3.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return (activations * gradients).sum(dim=1).relu()


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply activations, place by place, with what of the gradients is above 0.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE
    Transactions on Image Processing 2021, equations 6 to 8.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return (activations * gradients.relu()).sum(dim=1).relu()


def gradcam_elementwise(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply place by place, and drop each feature map's negative places before adding up.

    The variant of pytorch-grad-cam (`GradCAMElementWise`); it has no paper of its own.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return (activations * gradients).relu().sum(dim=1)


METHODS: Final[dict[str, Method]] = {
    "gradcam": gradcam,
    "hirescam": hirescam,
    "layercam": layercam,
    "gradcam-elementwise": gradcam_elementwise,
}
"""Every method by the name that `GradCAM` takes."""
