"""The plain engine: Grad-CAM by a hook on the unchanged network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.cam.gradcam import CAMResult, Evidence, GradCAM
from live_cam.engines.engine import Engine, read_back, to_cpu
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from live_cam.network.classifier import Classifier
    from live_cam.network.precision import Precision


class HookEngine(Engine):
    """Explains any network, and is the reference for all other engines.

    It does not cut, fold, cast or rearrange the network.
    """

    name = "hook"

    def __init__(
        self,
        classifier: Classifier,
        precision: Precision,
        device: torch.device,
    ) -> None:
        """Add the hook to the network; `close` removes it.

        Args:
            classifier: The network and its target layer.
            precision: The number format.
            device: The network's device.
        """
        self.precision = precision.name
        self.device = str(device)
        self.exact = precision.name == "fp32"
        self._cam = GradCAM(
            classifier.module, classifier.layer, precision=precision, axes=classifier.axes
        )
        self._cam.__enter__()

    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        with (timer or StageTimer()).stage("explain"):
            return read_back(self._cam(x, class_index))

    def evidence(self, x: Tensor, classes: Tensor, timer: StageTimer | None = None) -> Evidence:
        with (timer or StageTimer()).stage("explain"):
            return to_cpu(self._cam.evidence(x, classes))

    def logits(self, x: Tensor) -> Tensor:
        return self._cam.logits(x)

    def close(self) -> None:
        """Remove the hook. May be called twice."""
        self._cam.close()
