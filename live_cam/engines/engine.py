"""What every engine is: something that explains a batch of images, whatever computes it."""

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
    """Explains images by one network at one target layer, as `GradCAM` does.

    Attributes:
        name: One of `settings.ENGINES`.
        precision: The number format: `fp32`, `fp16`, `bf16` or `int8`.
        device: Where it computes: `cpu`, `cuda:0`, or OpenVINO's `gpu` or `npu`.
        exact: Whether it promises the scores and maps of float32 and autograd, up to rounding.
    """

    name: str
    precision: str
    device: str
    exact: bool

    @property
    def description(self) -> str:
        """What computes, and how precisely: `openvino cpu int8`."""
        return f"{self.name} {self.device} {self.precision}"

    @abstractmethod
    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """Explain a batch of images.

        Args:
            x: N×3×H×W float32, normalised as the network wants it, on the network's device.
            class_index: The class to explain: one for all, or N int64; None: each one's top class.
            timer: Is told how long each stage took.

        Returns:
            The maps, logits and classes. They may be overwritten by the next call.

        Raises:
            UsageError: The class does not exist, or the layer cannot be explained.
            NonFiniteError: The scores or gradients are NaN or infinite.
        """

    @abstractmethod
    def evidence(self, x: Tensor, wanted: Tensor, timer: StageTimer | None = None) -> Evidence:
        """Give what every method makes its map of, for several classes, by one forward pass.

        Args:
            x: As above.
            wanted: Q int64 on the CPU: a class, or -1 for the most probable one, -2 for the
                second, and so on.
            timer: Is told how long it took.

        Returns:
            In the CPU's memory.

        Raises:
            UsageError: A class does not exist, or the layer cannot be explained.
            NonFiniteError: The scores or gradients are NaN or infinite.
        """

    @abstractmethod
    def scores(self, x: Tensor) -> Tensor:
        """Return N×C logits by the forward pass alone, to measure explanations against.

        Args:
            x: As above.
        """


def read_back(result: CAMResult) -> CAMResult:
    """Bring a result into the CPU's memory, in one transfer and with one wait for the device."""
    if result.cam.device.type == "cpu":
        return result
    # float32 holds every class index below 2^24 exactly.
    parts = (result.cam, result.logits, result.class_index.float())
    packed = torch.cat([part.flatten() for part in parts]).cpu()
    maps, scores = result.cam.numel(), result.logits.numel()
    return CAMResult(
        packed[:maps].view(result.cam.shape),
        packed[maps : maps + scores].view(result.logits.shape),
        packed[maps + scores :].long(),
    )


def to_cpu(evidence: Evidence) -> Evidence:
    """Bring evidence into the CPU's memory."""
    return Evidence(*(part.cpu() for part in evidence))
