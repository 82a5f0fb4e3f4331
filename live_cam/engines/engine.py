"""The interface of all engines."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch

from live_cam.cam.gradcam import CAMResult, Evidence
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from torch import Tensor

    from live_cam.runtime.timing import StageTimer


class Engine(Closing):
    """Explains images by one network at one target layer, with the results of `GradCAM`.

    Attributes:
        name: One of `settings.ENGINES`.
        precision: The number format: `fp32`, `fp16`, `bf16` or `int8`.
        device: Where it computes: `cpu`, `cuda:0`, or OpenVINO's `gpu` or `npu`.
        exact: Whether its logits and maps are those of float32 and autograd, up to rounding.
        has_evidence: Whether it supports `evidence`.
    """

    name: str
    precision: str
    device: str
    exact: bool
    has_evidence = True

    @property
    def description(self) -> str:
        """Its name, device and precision: `openvino cpu int8`."""
        return f"{self.name} {self.device} {self.precision}"

    @abstractmethod
    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """Compute Grad-CAM of one class in each image.

        Args:
            x: N×3×H×W float32, normalised as the network expects, on the network's device.
            class_index: The class to explain: one for all images, or N int64, or None for each
                image's top class.
            timer: Records the duration of each stage.

        Returns:
            The maps, logits and classes, in the CPU's memory. The next call may overwrite them.

        Raises:
            UsageError: The class does not exist, or the layer cannot be explained.
            NonFiniteError: The logits or gradients are NaN or infinite.
        """

    @abstractmethod
    def evidence(self, x: Tensor, classes: Tensor, timer: StageTimer | None = None) -> Evidence:
        """Compute activations, and the gradients of several classes, in one forward pass.

        Every method in `live_cam.cam.methods` makes its map from these.

        Args:
            x: As above.
            classes: Q int64 on the CPU: class indices, or -1 for the most probable class, -2 for
                the second, and so on.
            timer: Records the duration.

        Returns:
            The evidence, in the CPU's memory. The next call may overwrite it.

        Raises:
            UsageError: A class does not exist, or the layer cannot be explained.
            NonFiniteError: The logits or gradients are NaN or infinite.
        """

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Return N×C logits, by a forward pass without a map.

        Args:
            x: As above.
        """


def read_back(result: CAMResult) -> CAMResult:
    """Move a result to the CPU's memory in one transfer, with one wait for the device."""
    if result.cam.device.type == "cpu":
        return result
    # float32 holds every class index below 2^24 exactly.
    parts = (result.cam, result.logits, result.class_index.float())
    packed = torch.cat([part.flatten() for part in parts]).cpu()
    maps, logits = result.cam.numel(), result.logits.numel()
    return CAMResult(
        packed[:maps].view(result.cam.shape),
        packed[maps : maps + logits].view(result.logits.shape),
        packed[maps + logits :].long(),
    )


def to_cpu(evidence: Evidence) -> Evidence:
    """Move evidence to the CPU's memory."""
    return Evidence(*(part.cpu() for part in evidence))


class OneByOne(Engine):
    """An engine that saves memory: it passes on one image and one class at a time."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine, which stays the caller's to close."""
        self.name, self.precision = engine.name, engine.precision
        self.device, self.exact = engine.device, engine.exact
        self._engine = engine

    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        results = []
        for index in range(len(x)):
            result = self._engine.explain(x[index : index + 1], class_index, timer)
            results.append([part.clone() for part in result])  # the next call may overwrite them
        return CAMResult(*map(torch.cat, zip(*results, strict=True)))

    def evidence(self, x: Tensor, classes: Tensor, timer: StageTimer | None = None) -> Evidence:
        images = []
        for index in range(len(x)):
            parts = []
            for wanted in classes[:, None]:
                evidence = self._engine.evidence(x[index : index + 1], wanted, timer)
                parts.append(Evidence(*(part.clone() for part in evidence)))
            gradients = torch.cat([part.gradients for part in parts], dim=1)
            indices = torch.cat([part.classes for part in parts], dim=1)
            images.append(parts[0]._replace(gradients=gradients, classes=indices))
        return Evidence(*map(torch.cat, zip(*images, strict=True)))

    def logits(self, x: Tensor) -> Tensor:
        return self._engine.logits(x)

    def close(self) -> None:
        """Leave the engine open. May be called twice."""
