"""Opens any method at any number of layers, for stills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.cam.averaging import averaged
from live_cam.cam.gradcam import CAM, CAMResult, GradCAM
from live_cam.cam.methods import METHODS
from live_cam.cam.perturbation import DEFAULT_BATCH, AblationCAM, PerturbationCAM, ScoreCAM
from live_cam.errors import UsageError
from live_cam.settings import STILL_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn
    from typing_extensions import Self

    from live_cam.network.precision import Precision
    from live_cam.runtime.timing import StageTimer

_PERTURBING: Final[dict[str, type[PerturbationCAM]]] = {
    "scorecam": ScoreCAM,
    "ablationcam": AblationCAM,
}


def open_cam(
    module: nn.Module,
    layers: Sequence[str],
    method: str = "gradcam",
    *,
    precision: Precision | None = None,
    batch: int = DEFAULT_BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> CAM:
    """Return a `CAM` of any method at any number of layers.

    Args:
        module: A network from N×3×H×W to N×C logits.
        layers: Dotted names of the target layers, at least one.
        method: One of `settings.STILL_METHODS`.
        precision: The number format, float32 by default.
        batch: How many perturbed images `scorecam` and `ablationcam` run at once.
        progress: Called by these two with how many perturbed images are done and their total, for
            each layer.

    Returns:
        A `CAM` whose maps are, for one layer, N×h×w float32, at least 0, not normalised; for
        several layers their average, N×H×W in [0, 1] (see `live_cam.cam.averaging.averaged`).

    Raises:
        UsageError: The module has no such layer, or there is no such method.
    """
    if method not in STILL_METHODS:
        raise UsageError(f"there is no method {method!r}; choose {', '.join(STILL_METHODS)}.")
    if method in METHODS:
        return GradCAM(module, layers, method, precision)
    kind = _PERTURBING[method]
    cams = [kind(module, layer, precision, None, batch, progress) for layer in layers]
    return cams[0] if len(cams) == 1 else _AveragedCAM(cams)


class _AveragedCAM(CAM):
    """Explains each of several layers on its own and averages the maps."""

    def __init__(self, cams: Sequence[PerturbationCAM]) -> None:
        self._cams = cams

    def __enter__(self) -> Self:
        for cam in self._cams:
            cam.__enter__()
        return self

    def close(self) -> None:
        for cam in reversed(self._cams):
            cam.close()

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        results = [cam(x, class_index, timer) for cam in self._cams]
        height, width = x.shape[-2:]
        return results[0]._replace(cam=averaged([result.cam for result in results], height, width))
