"""Any method at any layers, behind one interface: what explains stills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from live_cam.cam.gradcam import CAM, CAMResult, GradCAM
from live_cam.cam.methods import METHODS
from live_cam.cam.multilayer import MultiLayerCAM, averaged
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
    """Return what explains a network by any method at any number of layers.

    Args:
        module: A network from N×3×H×W to N×C logits.
        layers: Dotted names of the target layers, at least one.
        method: One of `settings.STILL_METHODS`.
        precision: The number format; None is float32.
        batch: How many changed images `scorecam` and `ablationcam` ask the network about at once.
        progress: Told by these two how many of the changed images are done, and of how many, for
            each layer.

    Returns:
        Of one layer, its maps, N×h×w float32, at least 0, not normalised; of several, their
        average at the input's size, N×H×W in [0, 1] (see `live_cam.cam.multilayer.averaged`).

    Raises:
        UsageError: The module has no such layer, or there is no such method.
    """
    if method not in STILL_METHODS:
        raise UsageError(f"there is no method {method!r}; choose {', '.join(STILL_METHODS)}.")
    if method in METHODS:
        if len(layers) == 1:
            return GradCAM(module, layers[0], method, precision)
        return MultiLayerCAM(module, layers, method, precision)
    kind = _PERTURBING[method]
    each = [kind(module, layer, precision, None, batch, progress) for layer in layers]
    return each[0] if len(each) == 1 else _Averaged(each)


class _Averaged(CAM):
    """Several layers, each explained by itself."""

    def __init__(self, each: Sequence[PerturbationCAM]) -> None:
        self._each = each

    def __enter__(self) -> Self:
        for cam in self._each:
            cam.__enter__()
        return self

    def close(self) -> None:
        for cam in reversed(self._each):
            cam.close()

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        results = [cam(x, class_index, timer) for cam in self._each]
        height, width = x.shape[2:]
        return results[0]._replace(cam=averaged([each.cam for each in results], height, width))
