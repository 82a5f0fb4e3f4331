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


METHODS: Final[dict[str, Method]] = {"gradcam": gradcam}
"""Every method by the name that `GradCAM` takes."""
