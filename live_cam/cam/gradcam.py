"""Grad-CAM by a forward hook, one forward pass and one gradient."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import torch

from live_cam.cam.averaging import averaged
from live_cam.cam.methods import find_method
from live_cam.cam.tape import CutTape
from live_cam.errors import UsageError
from live_cam.network.precision import Precision, synchronize
from live_cam.runtime.closing import Closing
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    from torch import Tensor, nn
    from typing_extensions import Self

    from live_cam.cam.tape import Activation
    from live_cam.network.axes import Axes
    from live_cam.network.target_layer import Layers


class CAMResult(NamedTuple):
    """The result of one call of a `CAM` for N images."""

    cam: Tensor
    """N×h×w float32, at least 0, not normalised, on the input's device. Averaged over several
    layers, it is N×H×W in [0, 1]."""
    logits: Tensor
    """N×C float32."""
    class_index: Tensor
    """N int64: the class that each map explains."""


class Evidence(NamedTuple):
    """The input of every method in `live_cam.cam.methods`, for N images and Q classes."""

    activations: Tensor
    """N×K×h×w float32: the target layer's K feature maps."""
    gradients: Tensor
    """N×Q×K×h×w float32: of each class's logit with respect to the activations."""
    logits: Tensor
    """N×C float32."""
    classes: Tensor
    """N×Q int64: the class of each gradient."""

    def of(self, image: int) -> Evidence:
        """Return the evidence of one image, as a batch of one."""
        return Evidence(*(part[image : image + 1] for part in self))


class CAM(Closing):
    """Explains images inside its `with` block, and leaves the network as it was.

    After the block, also after an exception, the module has no hook left, its training flags are
    restored, and its parameters' `requires_grad` and `grad` are untouched.
    """

    @abstractmethod
    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """Explain a batch of images.

        Args:
            x: N×3×H×W float32, normalised as the network expects, on its device. A single image,
                3×H×W, is a batch of one.
            class_index: The class to explain: one for all images, or N int64. None explains the
                top class of each image.
            timer: Records the duration, as the stage `explain`.

        Raises:
            UsageError: There is no such class, or the layer cannot be explained.
            NonFiniteError: Logits or gradients are NaN or infinite.
            RuntimeError: Called outside the `with` block.
        """


class GradCAM(CAM):
    """Explains the logits of any network by the activations of any of its layers.

    One forward pass and one gradient suffice: inside the `with` block, a forward hook on the
    target layer cuts the tape there (see `CutTape`). Several layers are averaged
    (see `live_cam.cam.averaging`); the tape then starts at the lowest of them.

    Example:
        with GradCAM(module) as cam:
            heatmap = cam(x).cam
        with GradCAM(module, "features.35") as cam:  # or module.features[35]
            heatmap = cam(x, class_index=281).cam
        with GradCAM(module, ["features.26", "features.35"]) as cam:
            heatmap = cam(x).cam  # N×H×W in [0, 1], as large as the input
    """

    def __init__(
        self,
        module: nn.Module,
        layer: Layers = None,
        method: str = "gradcam",
        precision: Precision | None = None,
        axes: Axes | None = None,
    ) -> None:
        """Check the arguments; the module is unchanged until the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: The target layer: its dotted name, the module itself, or a list of these to
                average. None finds the last layer that keeps positions, in the first call.
            method: A name in `live_cam.cam.methods.METHODS`.
            precision: The number format, float32 by default.
            axes: The meaning of the axes of a single layer's activations. None traces them in the
                first forward pass, also in vision transformers.

        Raises:
            UsageError: The module has no such layer, or there is no such method.
        """
        self._method = find_method(method)
        self._precision = precision or Precision("fp32")
        self._tape = CutTape(module, layer, [axes] if axes else None)

    def __enter__(self) -> Self:
        self._tape.__enter__()
        return self

    def close(self) -> None:
        """Remove the hooks and restore the training flags. May be called twice."""
        self._tape.close()

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        x = as_batch(x)
        with (timer or StageTimer()).stage("explain"):
            logits, activations = self._tape.run(x, self._precision)
            classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
            with torch.enable_grad():
                logit = summed_logit(logits, classes)
            gradients = self._precision.layer_gradients(
                logit, [activation.features for activation in activations]
            )
            maps = [
                self._method(activation.maps(), activation.axes.as_maps(gradient))
                for activation, gradient in zip(activations, gradients, strict=True)
            ]
            synchronize(x.device)
        self._precision.check_finite(logits.detach(), *maps)
        cam = maps[0] if len(maps) == 1 else averaged(maps, *x.shape[2:])
        return CAMResult(cam, logits.detach(), classes)

    def evidence(self, x: Tensor, wanted: Tensor) -> Evidence:
        """Return the input of every method, for several classes, from one forward pass.

        Args:
            x: As above.
            wanted: Q int64 on the CPU: class indices, or -1 for the most probable class, -2 for the
                second, and so on.

        Raises:
            UsageError: A class does not exist, the layer cannot be explained, or there are several.
            NonFiniteError: Logits, activations or gradients are NaN or infinite.
            RuntimeError: Called outside the `with` block.
        """
        logits, activations = self._tape.run(as_batch(x), self._precision)
        if len(activations) > 1:
            raise UsageError(
                f"evidence comes from one layer, not {len(activations)}; give a single `layer`."
            )
        return gather_evidence(logits, activations[0], wanted, self._precision)

    def logits(self, x: Tensor) -> Tensor:
        """Return N×C float32 logits, without a map and without a tape.

        Args:
            x: As above.
        """
        return self._tape.logits(as_batch(x), self._precision)


def as_batch(x: Tensor) -> Tensor:
    """Return a single image, 3×H×W, as a batch of one, and a batch unchanged."""
    return x[None] if x.ndim == len("CHW") else x


def wanted_classes(class_index: int | Tensor | None, batch: int, classes: int) -> Tensor:
    """Return the class to explain in each image, or -1 for its top class.

    The result does not depend on the logits, so nothing waits for the device.

    Args:
        class_index: One class for all images, or N int64, or None for each image's top class.
        batch: N.
        classes: The number of classes that the network has.

    Returns:
        N int64, on the CPU.

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
    """Return the class to explain in each image, on the logits' device.

    Args:
        logits: N×C.
        wanted: N int64, from `wanted_classes`.
    """
    best = logits.detach().argmax(dim=1)
    wanted = wanted.to(logits.device, non_blocking=True)
    return torch.where(wanted < 0, best, wanted)


def summed_logit(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the sum over images of one logit each; its gradient is each image's own.

    Args:
        logits: N×C.
        classes: N int64, on the same device.
    """
    return logits.gather(1, classes[:, None]).sum()


def gather_evidence(
    logits: Tensor, activation: Activation, wanted: Tensor, precision: Precision
) -> Evidence:
    """Differentiate the logits of several classes in one batched backward pass.

    Args:
        logits: N×C float32, with a tape that starts at `activation`.
        activation: Of the target layer.
        wanted: Q int64, as in `GradCAM.evidence`. A rank beyond the last class means the last one.
        precision: The number format and scale of the backward pass.

    Raises:
        UsageError: A class does not exist, or the logits do not depend on the activation.
        NonFiniteError: Logits, activations or gradients are NaN or infinite.
    """
    count = logits.shape[1]
    if int(wanted.max()) >= count:
        raise UsageError(
            f"the class {int(wanted.max())} does not exist: the network's classes are 0 to "
            f"{count - 1}."
        )
    precision.check_finite(logits.detach(), activation.features.detach())
    ranked = logits.detach().argsort(dim=1, descending=True)
    wanted = wanted.to(logits.device)
    ranks = (-1 - wanted).clamp(0, count - 1).expand(len(logits), -1)
    classes = torch.where(wanted < 0, ranked.gather(1, ranks), wanted)
    with torch.enable_grad():
        chosen = logits.gather(1, classes)
    gradients = precision.class_gradients(chosen, activation.features)
    maps = torch.stack([activation.axes.as_maps(gradient) for gradient in gradients], dim=1)
    return Evidence(activation.maps(), maps, logits.detach(), classes)
