"""An engine for perturbation methods and several layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.cam.opening import open_cam
from live_cam.engines.engine import Engine, read_back
from live_cam.errors import UsageError
from live_cam.network.precision import Precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from live_cam.cam.gradcam import CAMResult, Evidence
    from live_cam.explain.loading import Loaded
    from live_cam.runtime.timing import StageTimer


class CAMEngine(Engine):
    """Explains one class by any method at any layers, on the unchanged network."""

    has_evidence = False

    def __init__(
        self,
        network: Loaded,
        layers: tuple[str, ...],
        method: str,
        *,
        precision: str = "auto",
        batch: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Add the hooks to the network; `close` removes them.

        Args:
            network: The network.
            layers: Dotted names of the target layers. Their maps are averaged.
            method: One of `settings.STILL_METHODS`.
            precision: One of `settings.PRECISIONS` but `int8`.
            batch: The number of perturbed images in one forward pass.
            progress: Called with the number of perturbed images that are done, and of all, for
                each layer.

        Raises:
            UsageError: There is no such layer, method or precision.
        """
        number_format = Precision(precision, network.device)
        self.name = method
        self.precision = number_format.name
        self.device = str(network.device)
        self.exact = number_format.name == "fp32"
        self._cam = open_cam(
            network.classifier.module,
            layers,
            method,
            precision=number_format,
            batch=batch,
            progress=progress,
        )
        self._cam.__enter__()

    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        return read_back(self._cam(x, class_index, timer))

    def evidence(self, *_: object) -> Evidence:
        raise UsageError(f"{self.name} has no gradients.")

    def logits(self, x: Tensor) -> Tensor:
        return self.explain(x).logits

    def close(self) -> None:
        """Remove the hooks. May be called twice."""
        self._cam.close()


class PartProgress:
    """Combines the progress of the parts of an explanation, one for each class and layer."""

    def __init__(self, report: Callable[[float], None] | None) -> None:
        """Report the finished share, in [0, 1], to a callback."""
        self._report = report
        self._parts = 1
        self._finished = 0

    def begin(self, parts: int) -> None:
        """Begin an explanation that has this many parts."""
        self._parts, self._finished = parts, 0

    def __call__(self, done: int, of: int) -> None:
        """Report that `done` steps of the present part are done, `of` all its steps."""
        if self._report:
            self._report((self._finished + done / of) / self._parts)
        self._finished += done == of
