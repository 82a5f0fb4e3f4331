"""Methods that ask the network about changed images or features, and take no gradient.

They need a forward pass for each feature map and are for stills; `batch` of them run at once.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import interpolate

from live_cam.cam.gradcam import CAM, CAMResult, chosen_classes, wanted_classes
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
    """Weighs each feature map by what the network says when it is made to count, or not to."""

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        precision: Precision | None = None,
        axes: Axes | None = None,
        batch: int = DEFAULT_BATCH,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Name what is explained; nothing is changed before the `with` block is entered.

        Args:
            module: A network from N×3×H×W to N×C logits.
            layer: Dotted name of the target layer.
            precision: The number format; None is float32.
            axes: What the axes of the layer's activations mean; None: followed through the first
                forward pass.
            batch: How many changed images the network is asked about at once.
            progress: Told after each batch how many changed images are done, and how many a call
                has in all: the number of feature maps for each image that is explained.

        Raises:
            UsageError: The module has no such layer.
        """
        self._module = module
        self._layer = layer
        self._precision = precision or Precision("fp32")
        self._tape = CutTape(module, [layer], [axes] if axes else None)
        self._batch = batch
        self._progress = progress or (lambda _done, _all: None)
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
        """See `CAM`; the stage is `explain`. The images are explained one after the other."""
        if self._opened is None:
            raise RuntimeError("a network is explained only inside the `with` block")
        with (timer or StageTimer()).stage("explain"), torch.no_grad():
            with self._tape as tape:
                logits, (activation,) = tape.run(x, self._precision)
            logits, maps = logits.detach(), activation.maps()
            classes = chosen_classes(logits, wanted_classes(class_index, *logits.shape))
            changed = self._all_scores(x, maps, classes, activation.axes)
            weights = self._weights(logits.gather(1, classes[:, None]), changed)
        cam = weighted_sum(maps, weights)
        self._precision.check_finite(logits, cam)
        return CAMResult(cam, logits, classes)

    def _all_scores(self, x: Tensor, maps: Tensor, classes: Tensor, axes: Axes) -> Tensor:
        """Return each image's score with each of its feature maps perturbed, N×K."""
        scores = torch.empty(maps.shape[:2], device=maps.device)
        for index, (image, index_of_class) in enumerate(zip(x[:, None], classes, strict=True)):
            ask = self._asking(image, maps[index], axes)
            for channels in torch.split(torch.arange(scores.shape[1]), self._batch):
                scores[index, channels] = ask(channels.to(x.device))[:, index_of_class].float()
                done = index * scores.shape[1] + int(channels[-1]) + 1
                self._progress(done, scores.numel())
        self._precision.check_finite(scores)
        return scores

    @abstractmethod
    def _asking(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        """Return what gives the logits, b×C, with each of b feature maps perturbed.

        Args:
            image: 1×3×H×W.
            maps: K×h×w, its feature maps.
            axes: What the axes of the target layer's activations mean.
        """

    @abstractmethod
    def _weights(self, score: Tensor, changed: Tensor) -> Tensor:
        """Return each feature map's weight, N×K.

        Args:
            score: N×1, of the images as they are.
            changed: N×K, with each feature map perturbed.
        """


class ScoreCAM(PerturbationCAM):
    """Weighs each feature map by the score of the image seen through it.

    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
    CVPR Workshops 2020, algorithm 1: each map, enlarged bilinearly and scaled to [0, 1], masks the
    image, and the weights are the softmax of the masked images' scores over the maps. (The
    baseline's score, which the paper subtracts before the softmax, cancels out in it.)
    """

    def _asking(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        del axes
        size = (image.shape[2], image.shape[3])

        def ask(channels: Tensor) -> Tensor:
            masks = interpolate(maps[channels, None], size, mode="bilinear", align_corners=True)
            masks = masks - masks.amin(dim=(2, 3), keepdim=True)
            masks = masks / masks.amax(dim=(2, 3), keepdim=True).clamp_min(_EPSILON)
            with self._precision.autocast():
                return self._module(image * masks)  # type: ignore[no-any-return]

        return ask

    def _weights(self, score: Tensor, changed: Tensor) -> Tensor:
        del score
        return changed.softmax(dim=1)


class AblationCAM(PerturbationCAM):
    """Weighs each feature map by how much the score drops without it.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
    Gradient-free Localization", WACV 2020, equations 5 and 6: the drop as a share of the score,
    where the map is set to zero. (pytorch-grad-cam sets it to far below its minimum instead where
    a feature is below 0, which is no ablation: it drives the network with numbers of 1e7.)

    Where the network can be cut at the layer, only the part behind it is asked.
    """

    _halves: Cut | None = None
    _uncuttable = False

    def _asking(self, image: Tensor, maps: Tensor, axes: Axes) -> Callable[[Tensor], Tensor]:
        halves = self._cut()
        with self._precision.autocast():
            features = halves.trunk(image) if halves else ()
        # What else crosses the cut must be of this one image, to be repeated with it.
        if not halves or not all(_is_of_one_image(each) for each in features):
            return partial(self._ask_whole, image, len(maps), axes)
        return partial(self._ask_head, halves.head, features, len(maps), axes)

    def _cut(self) -> Cut | None:
        if self._halves is None and not self._uncuttable:
            try:
                self._halves = cut(self._module, self._layer)
            except EngineError:
                self._uncuttable = True
        return self._halves

    def _ask_head(
        self,
        head: nn.Module,
        features: tuple[Tensor, ...],
        count: int,
        axes: Axes,
        channels: Tensor,
    ) -> Tensor:
        # Copies, as the head may work in place.
        repeated = [each.repeat(len(channels), *[1] * (each.ndim - 1)) for each in features]
        ablated = repeated[0] * _all_but(channels, count, axes, repeated[0])
        with self._precision.autocast():
            return head(ablated, *repeated[1:])  # type: ignore[no-any-return]

    def _ask_whole(self, image: Tensor, count: int, axes: Axes, channels: Tensor) -> Tensor:
        def ablate(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            return output * _all_but(channels, count, axes, output)

        hook = get_layer(self._module, self._layer).register_forward_hook(ablate)
        try:
            with self._precision.autocast():
                return self._module(image.repeat(len(channels), 1, 1, 1))  # type: ignore[no-any-return]
        finally:
            hook.remove()

    def _weights(self, score: Tensor, changed: Tensor) -> Tensor:
        return (score - changed) / torch.where(score == 0, 1.0, score)


def _is_of_one_image(features: object) -> bool:
    return isinstance(features, torch.Tensor) and features.ndim > 0 and len(features) == 1


def _all_but(channels: Tensor, count: int, axes: Axes, features: Tensor) -> Tensor:
    """Return 0 for the one channel of each image that is ablated, and 1 for the others.

    Args:
        channels: b int64, one for each image.
        count: K, the number of channels.
        axes: What the axes of `features` mean.
        features: Of b images.

    Returns:
        To be multiplied with `features`.
    """
    kept = torch.ones(len(channels), count, dtype=features.dtype, device=features.device)
    kept.scatter_(1, channels[:, None], 0.0)
    shape = [1] * features.ndim
    images, channel = axes.roles.index("N"), axes.roles.index("C")
    shape[images], shape[channel] = kept.shape
    return (kept if images < channel else kept.T).reshape(shape)
