"""Methods that run the network on perturbed images or features, and need no gradient.

They need one forward pass per feature map, in batches, so they are for stills.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import interpolate

from live_cam.cam.gradcam import CAM, CAMResult, as_batch, chosen_classes, wanted_classes
from live_cam.cam.methods import weighted_sum
from live_cam.cam.tape import CutTape, evaluating
from live_cam.errors import EngineError
from live_cam.network.cut import Cut, cut
from live_cam.network.precision import Precision
from live_cam.network.target_layer import get_layer
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from typing_extensions import Self

    from live_cam.network.axes import Axes

DEFAULT_BATCH: Final = 32
_EPSILON: Final = 1e-8


class PerturbationCAM(CAM):
    """Weights each feature map by the effect of a perturbation that isolates or removes it."""

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        precision: Precision | None = None,
        axes: Axes | None = None,
        batch: int = DEFAULT_BATCH,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Check the arguments; the module is unchanged until the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: Dotted name of the target layer.
            precision: The number format, float32 by default.
            axes: The meaning of the axes of the layer's activations, or None to trace them in the
                first forward pass.
            batch: How many perturbed images the network runs at once.
            progress: Called after each batch with how many perturbed images are done and their
                total in this call: one per feature map and explained image.

        Raises:
            UsageError: The module has no such layer.
        """
        self._module = module
        self._layer = layer
        self._precision = precision or Precision("fp32")
        self._tape = CutTape(module, [layer], [axes] if axes else None)
        self._batch = batch
        self._progress = progress or (lambda _done, _total: None)
        self._opened: ExitStack | None = None

    def __enter__(self) -> Self:
        self._opened = ExitStack()
        self._opened.enter_context(evaluating(self._module))
        return self

    def close(self) -> None:
        """Restore the training flags. May be called twice."""
        opened, self._opened = self._opened, None
        if opened:
            opened.close()

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        # Images are explained one after the other.
        if self._opened is None:
            raise RuntimeError("a network can be explained only inside the `with` block")
        x = as_batch(x)
        with (timer or StageTimer()).stage("explain"), torch.no_grad():
            with self._tape as tape:
                logits, (activation,) = tape.run(x, self._precision)
            logits, maps = logits.detach(), activation.maps()
            classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
            perturbed = self._perturbed_logits(x, maps, classes, activation.axes)
            weights = self._weights(logits.gather(1, classes[:, None]), perturbed)
        cam = weighted_sum(maps, weights)
        self._precision.check_finite(logits, cam)
        return CAMResult(cam, logits, classes)

    def _perturbed_logits(self, x: Tensor, maps: Tensor, classes: Tensor, axes: Axes) -> Tensor:
        """Return each image's logit with each of its feature maps perturbed, N×K."""
        perturbed = torch.empty(maps.shape[:2], device=maps.device)
        count = perturbed.shape[1]
        for index, (image, class_index) in enumerate(zip(x[:, None], classes, strict=True)):
            run = self._perturbed_run(image, maps[index], axes)
            for channels in torch.split(torch.arange(count), self._batch):
                perturbed[index, channels] = run(channels.to(x.device))[:, class_index].float()
                done = index * count + int(channels[-1]) + 1
                self._progress(done, perturbed.numel())
        self._precision.check_finite(perturbed)
        return perturbed

    @abstractmethod
    def _perturbed_run(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        """Return a function from b channels to b×C logits, each with one feature map perturbed.

        Args:
            image: 1×3×H×W.
            maps: K×h×w, its feature maps.
            axes: The meaning of the axes of the target layer's activations.
        """

    @abstractmethod
    def _weights(self, logit: Tensor, perturbed: Tensor) -> Tensor:
        """Return the weight of each feature map, N×K.

        Args:
            logit: N×1, of the original images.
            perturbed: N×K, with each feature map perturbed.
        """


class ScoreCAM(PerturbationCAM):
    """Weights each feature map by the logit of the image masked with it.

    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
    CVPR Workshops 2020, algorithm 1: each map, enlarged bilinearly and scaled to [0, 1], masks the
    image, and the weights are the softmax of the masked images' logits over the maps. (The
    baseline's logit, which the paper subtracts before the softmax, cancels out.)
    """

    def _perturbed_run(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        del axes
        size = (image.shape[2], image.shape[3])

        def run(channels: Tensor) -> Tensor:
            masks = interpolate(maps[channels, None], size, mode="bilinear", align_corners=True)
            masks = masks - masks.amin(dim=(2, 3), keepdim=True)
            masks = masks / masks.amax(dim=(2, 3), keepdim=True).clamp_min(_EPSILON)
            with self._precision.autocast():
                return self._module(image * masks)  # type: ignore[no-any-return]

        return run

    def _weights(self, logit: Tensor, perturbed: Tensor) -> Tensor:
        del logit
        return perturbed.softmax(dim=1)


class AblationCAM(PerturbationCAM):
    """Weights each feature map by how much the logit drops without it.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
    Gradient-free Localization", WACV 2020, equations 5 and 6: the drop relative to the logit
    when the map is set to zero. (Where a feature is below 0, pytorch-grad-cam sets the map far
    below its minimum instead, which is no ablation: it feeds the network values of 1e7.)

    If the network can be cut at the layer, only the head after it runs on perturbed features.
    """

    _halves: Cut | None = None
    _uncuttable = False

    def _perturbed_run(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        halves = self._cut()
        with self._precision.autocast():
            features = halves.trunk(image) if halves else ()
        # Everything that crosses the cut must belong to this one image, to be repeated with it.
        if not halves or not all(map(_is_of_one_image, features)):
            return partial(self._run_network, image, len(maps), axes)
        return partial(self._run_head, halves.head, features, len(maps), axes)

    def _cut(self) -> Cut | None:
        if self._halves is None and not self._uncuttable:
            try:
                self._halves = cut(self._module, self._layer)
            except EngineError:
                self._uncuttable = True
        return self._halves

    def _run_head(
        self,
        head: nn.Module,
        features: tuple[Tensor, ...],
        count: int,
        axes: Axes,
        channels: Tensor,
    ) -> Tensor:
        # Copies, because the head may work in place.
        repeated = [part.repeat(len(channels), *[1] * (part.ndim - 1)) for part in features]
        ablated = repeated[0] * _all_but(channels, count, axes, repeated[0])
        with self._precision.autocast():
            return head(ablated, *repeated[1:])  # type: ignore[no-any-return]

    def _run_network(self, image: Tensor, count: int, axes: Axes, channels: Tensor) -> Tensor:
        def ablate(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            return output * _all_but(channels, count, axes, output)

        hook = get_layer(self._module, self._layer).register_forward_hook(ablate)
        try:
            with self._precision.autocast():
                return self._module(image.repeat(len(channels), 1, 1, 1))  # type: ignore[no-any-return]
        finally:
            hook.remove()

    def _weights(self, logit: Tensor, perturbed: Tensor) -> Tensor:
        return (logit - perturbed) / torch.where(logit == 0, 1.0, logit)


def _is_of_one_image(features: object) -> bool:
    return isinstance(features, torch.Tensor) and features.ndim > 0 and len(features) == 1


def _all_but(channels: Tensor, count: int, axes: Axes, features: Tensor) -> Tensor:
    """Return a mask that removes one channel of each image.

    Args:
        channels: b int64, the channel to remove in each image.
        count: K, the number of channels.
        axes: The meaning of the axes of `features`.
        features: Of b images.

    Returns:
        0 for the removed channels and 1 for the others, to multiply `features` with.
    """
    kept = torch.ones(len(channels), count, dtype=features.dtype, device=features.device)
    kept.scatter_(1, channels[:, None], 0.0)
    shape = [1] * features.ndim
    images, channel = axes.roles.index("N"), axes.roles.index("C")
    shape[images], shape[channel] = kept.shape
    return (kept if images < channel else kept.T).reshape(shape)
