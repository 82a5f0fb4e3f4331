"""Several target layers at once: coarse and fine evidence in one map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import interpolate

from live_cam.cam.gradcam import CAMResult, TapedCAM, chosen_classes, summed_score, wanted_classes
from live_cam.cam.tape import CutTape
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from live_cam.network.precision import Precision

_EPSILON: Final = 1e-30


class MultiLayerCAM(TapedCAM):
    """Explains scores by the activations of several layers, with one forward pass and one gradient.

    The tape begins at the lowest of them.

    Example:
        with MultiLayerCAM(module, ["features.26", "features.35"]) as cam:
            result = cam(x)
        result.cam  # N×H×W, in [0, 1], of the input's own size
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Sequence[str],
        method: str = "gradcam",
        precision: Precision | None = None,
    ) -> None:
        """Name what is explained; nothing is changed before the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layers: Dotted names of the target layers, at least one.
            method: A name in `live_cam.cam.methods.METHODS`.
            precision: The number format; None is float32.

        Raises:
            UsageError: The module has no such layer, or there is no such method.
        """
        super().__init__(CutTape(module, layers), method, precision)

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        """See `CAM`; the stage is `explain`.

        Returns:
            As `GradCAM` does, but with maps of the input's own size, N×H×W float32 in [0, 1]:
            the average of the layers', as `averaged` makes it.
        """
        with (timer or StageTimer()).stage("explain"):
            logits, activations = self._tape.run(x, self._precision)
            classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
            with torch.enable_grad():
                score = summed_score(logits, classes)
            gradients = self._precision.gradient_by_each(
                score, [each.features for each in activations]
            )
            maps = [
                self._method(each.maps(), each.axes.as_maps(gradient))
                for each, gradient in zip(activations, gradients, strict=True)
            ]
        self._precision.check_finite(logits.detach(), *maps)
        height, width = x.shape[2:]
        return CAMResult(averaged(maps, height, width), logits.detach(), classes)


def averaged(maps: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Average the maps of several layers, each with the same say.

    As pytorch-grad-cam aggregates them: each map is scaled to [0, 1], enlarged bilinearly, and
    their mean is taken. (There, 1e-7 is added to what a map is divided by, which dims maps as
    weak as that; and the mean is scaled to [0, 1] once more.)

    Args:
        maps: One N×h×w float32 for each layer, at least 0, of any sizes.
        height: Of the result in pixels.
        width: Likewise.

    Returns:
        N×height×width float32 in [0, 1]. An empty map adds nothing.
    """
    size = height, width
    return torch.stack(
        [
            interpolate(_scaled(each)[:, None], size, mode="bilinear", align_corners=False)[:, 0]
            for each in maps
        ]
    ).mean(dim=0)


def _scaled(maps: Tensor) -> Tensor:
    above = maps - maps.amin(dim=(1, 2), keepdim=True)
    return above / above.amax(dim=(1, 2), keepdim=True).clamp_min(_EPSILON)
