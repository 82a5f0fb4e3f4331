"""Pure functions from a layer's activations and gradients to a class activation map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import torch

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Method: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Sum the feature maps, each weighted by its mean gradient, and keep the positive evidence.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017, equations 1 and 2.

    Args:
        activations: N×K×h×w float32, the target layer's K feature maps.
        gradients: N×K×h×w float32, of the class's logit with respect to the activations.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return weighted_sum(activations, gradients.mean(dim=(2, 3)))


def weighted_sum(activations: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of feature maps, clamped at 0 to keep the evidence for the class.

    Selvaraju et al. 2017, equation 2.

    Args:
        activations: N×K×h×w float32.
        weights: N×K float32, one per feature map.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return torch.einsum("nk,nkhw->nhw", weights, activations).relu()


def gradcam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Weight each feature map by its positive gradients, each scaled by its contribution.

    Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
    Convolutional Networks", WACV 2018, equations 5, 7 and 19, with the exponential as the last
    nonlinearity, which turns the higher derivatives into powers of the gradient. pytorch-grad-cam
    adds 1e-6 to a denominator of squared gradients, which dominates small ones; here, as in the
    paper, the squares cancel out.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    total = activations.sum(dim=(2, 3), keepdim=True)
    denominator = 2 + total * gradients
    # Only negative features can make it 0; the authors' code then uses 1, too.
    denominator = torch.where(denominator == 0, 1.0, denominator)
    weights = (gradients.relu() / denominator).sum(dim=(2, 3))
    return weighted_sum(activations, weights)


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply activations and gradients element by element, without pooling the gradients.

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
    """Weight each feature map by the mean of its gradients, weighted by its activations.

    Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC
    2020, equation 8.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised. A feature map that sums to 0 has no weight.
    """
    total = activations.sum(dim=(2, 3))
    pooled = (activations * gradients).sum(dim=(2, 3))
    weights = torch.where(total == 0, 0.0, pooled / torch.where(total == 0, 1.0, total))
    return weighted_sum(activations, weights)


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Multiply activations element by element with the positive part of the gradients.

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
    """Multiply element by element, and drop negative products before the sum over feature maps.

    A variant from pytorch-grad-cam (`GradCAMElementWise`); no paper describes it.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return (activations * gradients).relu().sum(dim=1)


def eigencam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Show what the feature maps have in common, independent of the class.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020,
    equations 2 to 4, after subtracting each feature map's mean, as pytorch-grad-cam does. The sign
    of a principal component is arbitrary, and so is that of pytorch-grad-cam's map; here it agrees
    with the sum of the feature maps.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w, unused.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    del gradients
    return _first_component(activations)


def eigengradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Show what the feature maps have in common after multiplication by their gradients.

    This is `eigencam` of the product, which makes it specific to the class: the method
    `EigenGradCAM` of pytorch-grad-cam, which no paper describes. Its sign agrees with HiResCAM's.

    Args:
        activations: N×K×h×w float32.
        gradients: N×K×h×w float32.

    Returns:
        N×h×w float32, at least 0, not normalised.
    """
    return _first_component(activations * gradients)


def _first_component(features: Tensor) -> Tensor:
    """Project the features at each position onto their first principal component; clamp at 0."""
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
"""Every method, by its name in `settings.METHODS`."""


def find_method(name: str) -> Method:
    """Return the method of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}; choose {', '.join(METHODS)}.")
    return METHODS[name]
