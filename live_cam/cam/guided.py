"""Guided backpropagation: the pixels that count as evidence for a class, at full resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from live_cam.cam.gradcam import chosen_classes, summed_logit, wanted_classes
from live_cam.cam.tape import evaluating
from live_cam.errors import UsageError
from live_cam.network.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

_RELU: Final = (functional.relu, torch.relu, torch.Tensor.relu)
_RELU_IN_PLACE: Final = (torch.relu_, torch.Tensor.relu_)


def guided_backpropagation(
    module: nn.Module, x: Tensor, class_index: int | Tensor | None = None
) -> Tensor:
    """Return the gradient of logits with respect to pixels, clamped to positive at each ReLU.

    Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR 2015 workshop,
    section 3.4: going backward through a ReLU, the gradient passes where both the feature and the
    gradient are above 0. The method is defined for ReLUs (and ReLU6, which MobileNets use); other
    nonlinearities pass the gradient unchanged, and a network without a ReLU is rejected.

    ReLUs are intercepted when they are called, whether they are layers or functions, in place or
    not. So nothing in the module is replaced, its training flags are restored, and its parameters'
    `requires_grad` and `grad` are untouched.

    Args:
        module: A network from N×3×H×W to N×C logits.
        x: N×3×H×W float32, normalised as the network expects, on its device.
        class_index: The class to explain: one for all images, or N int64. None explains the top
            class of each image.

    Returns:
        N×3×H×W float32, of either sign, with the channel order of `x`.

    Raises:
        UsageError: The class does not exist, or the network has no ReLU.
        NonFiniteError: Logits or gradients are NaN or infinite.
    """
    pixels = x.detach().float().requires_grad_()
    with evaluating(module), torch.enable_grad():
        with _GuidedReLUs() as relus:
            # A copy, because the first layer may be a ReLU that works in place.
            logits = module(pixels.clone()).float()
        if not relus.count:
            raise UsageError(
                f"guided backpropagation is defined for ReLUs, and this {type(module).__name__} "
                "has none; choose a network with ReLUs, such as vgg19 or resnet50."
            )
        classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
        logit = summed_logit(logits, classes)
    return Precision("fp32").gradient(logit, pixels)


def guided_gradcam(gradients: Tensor, cam: Tensor) -> Tensor:
    """Multiply guided backpropagation by Grad-CAM: fine detail at the evidence for a class.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017, section 3.1 and figure 1: the map is enlarged bilinearly to the
    input's size and multiplied pixel by pixel.

    Args:
        gradients: N×3×H×W float32, from `guided_backpropagation`.
        cam: N×h×w float32, at least 0, for the same classes.

    Returns:
        N×3×H×W float32, of either sign, not normalised.
    """
    size = gradients.shape[2:]
    enlarged = functional.interpolate(cam[:, None], size, mode="bilinear", align_corners=False)
    return gradients * enlarged


class _GuidedReLUs(TorchFunctionMode):
    """Replaces every ReLU call inside its `with` block by a guided ReLU, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        ceiling = _ceiling(func, kwargs)
        if ceiling is None:
            return func(*args, **kwargs)
        self.count += 1
        in_place = func in _RELU_IN_PLACE or bool(kwargs.get("inplace"))
        features = args[0] if args else kwargs["input"]
        return _GuidedReLU.apply(features, ceiling, in_place)


def _ceiling(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> float | None:
    """Return the upper bound of a ReLU: 6 for ReLU6, infinity for ReLU, None if it is neither."""
    if func in _RELU or func in _RELU_IN_PLACE:
        return torch.inf
    if func is functional.relu6:
        return 6.0
    if func is functional.hardtanh and kwargs.get("min_val") == 0:
        return float(kwargs["max_val"])  # as `nn.ReLU6` calls it
    return None


class _GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, ceiling: float, in_place: bool) -> Tensor:
        ctx.save_for_backward((features > 0) & (features < ceiling))
        if in_place:
            ctx.mark_dirty(features)
            return features.clamp_(0, ceiling)
        return features.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (passing,) = ctx.saved_tensors
        return gradients[0].clamp_min(0) * passing, None, None
