"""The hook, one forward pass, one gradient: which part of an image speaks for a class."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import torch

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


class CAMResult(NamedTuple):
    """What one call of `GradCAM` found for N images."""

    cam: Tensor
    """N×h×w float32, at least 0, not normalised, on the input's device."""
    logits: Tensor
    """N×C float32."""
    class_index: Tensor
    """N int64: the class that each map explains."""


class Evidence(NamedTuple):
    """What every method of `live_cam.cam.methods` computes with, for N images and Q classes."""

    activations: Tensor
    """N×K×h×w float32: the target layer's K feature maps."""
    gradients: Tensor
    """N×Q×K×h×w float32: of each class's score (before softmax) by the activations."""
    logits: Tensor
    """N×C float32."""
    classes: Tensor
    """N×Q int64: which class each gradient is of."""

    def of(self, image: int) -> Evidence:
        """Return one image's alone, as a batch of one."""
        return Evidence(*(part[image : image + 1] for part in self))


class CAM(Closing):
    """What explains images inside its `with` block, and leaves the network as it was found.

    Leaving the block, by an exception too, leaves no hook on the module, and its training flags
    and its parameters' `requires_grad` and `grad` untouched.
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
            x: N×3×H×W float32, normalised as the network wants it, on its device.
            class_index: The class to explain: one for all, or N int64; None: each one's top class.
            timer: Is told how long the stages took.

        Raises:
            UsageError: The class or a layer cannot be explained.
            NonFiniteError: The scores or gradients are NaN or infinite.
            RuntimeError: Called outside the `with` block.
        """


class TapedCAM(CAM):
    """One that takes its gradients from a tape that begins at the target layers."""

    def __init__(self, tape: CutTape, method: str, precision: Precision | None) -> None:
        """Take the tape, which is closed with it.

        Args:
            tape: Of the network, cut at the target layers.
            method: A name in `live_cam.cam.methods.METHODS`.
            precision: The number format; None is float32.

        Raises:
            UsageError: There is no such method.
        """
        self._method = find_method(method)
        self._precision = precision or Precision("fp32")
        self._tape = tape

    def __enter__(self) -> Self:
        self._tape.__enter__()
        return self

    def close(self) -> None:
        """Remove the hooks and restore the training flags. May be called twice."""
        self._tape.close()


class GradCAM(TapedCAM):
    """Explains the scores of any network by the activations of any of its layers.

    With one forward pass and one gradient: while it is open, a forward hook on the target layer
    cuts the tape there (see `CutTape`).

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
        axes: Axes | None = None,
    ) -> None:
        """Name what is explained; nothing is changed before the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: Dotted name of the target layer.
            method: A name in `live_cam.cam.methods.METHODS`.
            precision: The number format; None is float32.
            axes: What the axes of the layer's activations mean, of vision transformers too; None:
                followed through the first forward pass.

        Raises:
            UsageError: The module has no such layer, or there is no such method.
        """
        super().__init__(CutTape(module, [layer], [axes] if axes else None), method, precision)

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """See `CAM`; the stages are `forward` and `backward`."""
        timer = timer or StageTimer()
        with timer.stage("forward"):
            logits, (activation,) = self._tape.run(x, self._precision)
            synchronize(x.device)
        with timer.stage("backward"):
            classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
            with torch.enable_grad():
                score = summed_score(logits, classes)
            gradient = self._precision.gradient(score, activation.features)
            cam = self._method(activation.maps(), activation.axes.as_maps(gradient))
            synchronize(x.device)
        self._precision.check_finite(logits.detach(), cam)
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
        logits, (activation,) = self._tape.run(x, self._precision)
        return gather_evidence(logits, activation, wanted, self._precision)

    def scores(self, x: Tensor) -> Tensor:
        """Return N×C float32 logits without a map, and without a tape.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on its device.
        """
        return self._tape.scores(x, self._precision)


def wanted_classes(class_index: int | Tensor | None, batch: int, classes: int) -> Tensor:
    """Return the class that each image is asked about, -1 for its top class.

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
    """Return the class to explain in each image, on the logits' device.

    Args:
        logits: N×C.
        wanted: N int64, as `wanted_classes` returns them.
    """
    best = logits.detach().argmax(dim=1)
    wanted = wanted.to(logits.device, non_blocking=True)
    return torch.where(wanted < 0, best, wanted)


def summed_score(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the sum of each image's score, whose gradient by an image is that of its own.

    Args:
        logits: N×C.
        classes: N int64, on the same device.
    """
    return logits.gather(1, classes[:, None]).sum()


def gather_evidence(
    logits: Tensor, activation: Activation, wanted: Tensor, precision: Precision
) -> Evidence:
    """Differentiate the scores of several classes in one batched backward pass.

    Args:
        logits: N×C float32, with a tape that begins at `activation`.
        activation: The target layer's.
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
    precision.check_finite(logits.detach(), activation.features.detach())
    ranked = logits.detach().argsort(dim=1, descending=True)
    wanted = wanted.to(logits.device)
    ranks = (-1 - wanted).clamp(0, count - 1).expand(len(logits), -1)
    classes = torch.where(wanted < 0, ranked.gather(1, ranks), wanted)
    with torch.enable_grad():
        scores = logits.gather(1, classes)
    gradients = precision.gradients(scores, activation.features)
    maps = torch.stack([activation.axes.as_maps(each) for each in gradients], dim=1)
    return Evidence(activation.maps(), maps, logits.detach(), classes)
