"""A network of the user's own, with its own transform and labels, ready to be explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

from live_cam.cam.tape import evaluating
from live_cam.errors import UsageError
from live_cam.explain.loading import Loaded
from live_cam.geometry import Region
from live_cam.network.classifier import Classifier, class_names
from live_cam.network.preprocess import Preprocessor
from live_cam.network.target_layer import find_target_layer, layer_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

_INPUT_SIZE: Final = (224, 224)
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
"""ImageNet's, which most networks were trained with."""
_LARGEST_RESIDUAL: Final = 0.02
"""As a share of the image: what rounding to 8 bits and resampling leave is below 0.005."""


def load_own_network(
    module: nn.Module,
    layer: str | nn.Module | None = None,
    labels: Path | Sequence[str] | None = None,
    transform: Callable[[Image.Image], object] | None = None,
) -> Loaded:
    """Make a module ready to be explained; it is left as it was found.

    Args:
        module: From N×3×H×W to N×C logits.
        layer: The target layer, or its dotted name, or None to find it.
        labels: C class names, or a file of them, or None for ImageNet's names or plain numbers.
        transform: Makes a Pillow image (RGB) the network's input, 3×H×W or 1×3×H×W. None for
            ImageNet's preprocessing at 224×224.

    Raises:
        UsageError: The layer is no part of the module, the labels do not fit, or the transform
            gives no such tensor.
    """
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    preprocess: Preprocessor | TransformPreprocessor
    if transform is None:
        preprocess = Preprocessor(_INPUT_SIZE, _MEAN, _STD, device)
        height, width = _INPUT_SIZE
    else:
        preprocess = TransformPreprocessor(transform, device)
        height, width = preprocess(np.zeros((480, 640, 3), np.uint8)).shape[2:]
    example = torch.zeros(1, 3, height, width, device=device)
    names = layer_names(module, layer)
    with evaluating(module):
        target = find_target_layer(module, example, names[0] if names else None)
    name = type(module).__name__
    classifier = Classifier(
        name=name,
        module=module,
        layer=target.name,
        axes=target.axes,
        labels=class_names(labels, target.classes, name),
        input_size=(height, width),
        mean=_MEAN,
        std=_STD,
    )
    return Loaded(classifier, preprocess, device)


class TransformPreprocessor:
    """A user's transform in the place of `Preprocessor`."""

    def __init__(self, transform: Callable[[Image.Image], object], device: torch.device) -> None:
        """Wrap a transform.

        Args:
            transform: From a Pillow image (RGB) to 3×H×W or 1×3×H×W.
            device: Where the network is.
        """
        self._transform = transform
        self._device = device

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Return 1×3×H×W float32 on the network's device.

        Args:
            image: H×W×3 uint8, BGR.

        Raises:
            UsageError: The transform returns something else.
        """
        x = self._transform(Image.fromarray(np.ascontiguousarray(image[..., ::-1])))
        if not isinstance(x, torch.Tensor):
            raise UsageError(
                f"`transform` returned a {type(x).__name__}; it must return a tensor, 3×H×W."
            )
        batch = x[None] if x.ndim == 3 else x
        if batch.ndim != 4 or batch.shape[:2] != (1, 3) or not batch.is_floating_point():
            raise UsageError(
                f"`transform` returned {tuple(x.shape)} of {x.dtype}; it must return 3×H×W in "
                "floating point."
            )
        return batch.to(self._device, torch.float32)

    def region(self, width: int, height: int) -> Region:
        """Return the part of an image that reaches the network, in shares of the image.

        The transform is run on four test images: black, white, and a ramp along each axis. Its
        output for black and white shows how it normalises and which pixels are padding, that for
        the ramps where each pixel comes from.

        Args:
            width: The image's width in pixels.
            height: Its height in pixels.

        Raises:
            UsageError: The transform does more than resize, crop, pad and normalise.
        """
        black, white = (self._grey(np.full((height, width), level)) for level in (0.0, 1.0))
        span = white - black
        inside = span.abs() > 0.5 * span.abs().max()
        across = (np.arange(width) + 0.5) / width
        down = (np.arange(height) + 0.5) / height
        x, columns = self._source(np.tile(across, (height, 1)), black, span, inside, axis=1)
        y, rows = self._source(np.tile(down[:, None], (1, width)), black, span, inside, axis=0)
        return Region(x, y, columns, rows)

    def _grey(self, shares: NDArray[np.float64]) -> Tensor:
        grey = np.rint(255 * shares).astype(np.uint8)
        return self(np.repeat(grey[..., None], 3, axis=2))[0].cpu()

    def _source(
        self, ramp: NDArray[np.float64], black: Tensor, span: Tensor, inside: Tensor, axis: int
    ) -> tuple[float, float]:
        """Return where the input begins along an axis of the image, and how much it covers."""
        seen = (self._grey(ramp) - black) / span
        inside = inside & (seen > 0.01) & (seen < 0.99)
        places = inside.nonzero()[:, 1:][:, axis].double().numpy()
        values = seen[inside].double().numpy()
        size = black.shape[1 + axis]
        if np.ptp(places) if places.size else 0:
            slope, start = np.polyfit(places + 0.5, values, 1)
            residual = np.abs(start + slope * (places + 0.5) - values).max()
            if slope > 0 and residual <= _LARGEST_RESIDUAL:
                return float(start), float(slope * size)
        raise UsageError(
            "`transform` does more than resize, crop, pad and normalise, so it is unknown which "
            "part of the image the heatmap covers; leave out flips, rotations and random steps."
        )
