"""Pure functions from a layer's activations and gradients to a map of the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import torch

from live_cam.errors import UsageError

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


def gradcam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each feature map by its gradients above 0, each counted by how much it adds.

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
    Convolutional Networks", WACV 2018, equations 5, 7 and 19, with the exponential as the last
    nonlinearity, so that the higher derivatives are powers of the gradient. pytorch-grad-cam adds
    1e-6 to a denominator of squared gradients, which outweighs small ones; here, as in the
    paper, the squares cancel out.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 + total * gradients
    # Only features below 0 can make it 0; the authors' code, too, then takes 1.
    denominator = torch.where(denominator == 0, 1.0, denominator)
    weights = (gradients.relu() / denominator).sum(dim=(2, 3))
    return weighted_sum(activations, weights)


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


def xgradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weigh each feature map by its gradients' mean, counted by where the map is active.

    Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC
    2020, equation 8.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised. A feature map that adds up to 0 has no weight.
    """
    total = activations.sum(dim=(2, 3))
    pooled = (activations * gradients).sum(dim=(2, 3))
    weights = torch.where(total == 0, 0.0, pooled / torch.where(total == 0, 1.0, total))
    return weighted_sum(activations, weights)


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


def eigencam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Show what most of the feature maps have in common, whatever the class.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020,
    equations 2 to 4, with each feature map's mean subtracted first, as pytorch-grad-cam does. The
    sign of a principal component is arbitrary, and so is that of pytorch-grad-cam's map; here it
    is the one that agrees with the sum of the feature maps.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w; takes no part.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    del gradients
    return _first_component(activations)


def eigengradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Show what most of the feature maps, multiplied place by place by their gradients, share.

    `eigencam` of the product, which makes it speak of the class; the method of pytorch-grad-cam
    (`EigenGradCAM`), without a paper of its own. Its sign agrees with HiResCAM's map.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return _first_component(activations * gradients)


def _first_component(features: Tensor) -> Tensor:
    """Project each place's features on their first principal component; keep what is above 0."""
    flat = features.flatten(2).cpu().double()
    centred = flat - flat.mean(dim=2, keepdim=True)
    _, strengths, components = torch.linalg.svd(centred, full_matrices=False)
    projection = strengths[:, :1] * components[:, 0]
    agreement = (projection * centred.sum(dim=1)).sum(dim=1, keepdim=True)
    projection = torch.where(agreement < 0, -projection, projection)
    return projection.relu().to(features).reshape(len(features), *features.shape[2:])


METHODS: Final[dict[str, Method]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "hirescam": hirescam,
    "xgradcam": xgradcam,
    "layercam": layercam,
    "gradcam-elementwise": gradcam_elementwise,
    "eigengradcam": eigengradcam,
    "eigencam": eigencam,
}
"""Every method by its name in `settings.METHODS`."""


def find_method(name: str) -> Method:
    """Return the method of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}; choose {', '.join(METHODS)}.")
    return METHODS[name]
