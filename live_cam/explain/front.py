"""The front door: `live_cam.explain(image)` and `live_cam.overlay(image, heatmap)`."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import torch
from PIL import Image

from live_cam.capture.image_file import on_white, read_image, upright
from live_cam.errors import UsageError
from live_cam.explain.batch import BatchExplainer
from live_cam.explain.own_network import load_own_network
from live_cam.explanation import Explanation, Heatmap, Prediction
from live_cam.frame import Frame
from live_cam.geometry import WHOLE
from live_cam.labels import find_class
from live_cam.look import Look
from live_cam.overlay import Overlay
from live_cam.overlay.painter import Painter
from live_cam.overlay.status import Status
from live_cam.question import TOP_CLASS, Question
from live_cam.record.destinations import whole_file
from live_cam.runtime.opencv import cv2
from live_cam.settings import NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from live_cam.look import Colormap
    from live_cam.settings import StillMethod

AnyImage: TypeAlias = Union[str, Path, Image.Image, "NDArray[np.generic]", torch.Tensor]
"""A file, a Pillow image, an array H×W×3 (RGB; also H×W grey or H×W×4 RGBA; uint8, or floating
point in [0, 1]) or a tensor 3×H×W of the same kinds."""
AnyMap: TypeAlias = Union["NDArray[np.generic]", torch.Tensor, Heatmap, Explanation]
"""h×w numbers of any scale, also with a leading axis of one, or what `explain` returned."""

_log = logging.getLogger(__name__)
_computing = threading.Lock()
_NO_CLASS = Prediction(-1, "", 0.0)
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, eq=False)
class ImageExplanation(Explanation):
    """An explanation together with the image that it explains. Notebooks show it."""

    image: NDArray[np.uint8] = field(kw_only=True, repr=False)
    """H×W×3 uint8, RGB."""

    def draw(self, **look: Any) -> NDArray[np.uint8]:
        """Return the image with heatmap, label and probabilities on it: H×W×3 uint8, RGB.

        Args:
            look: Fields of `live_cam.Look`, such as `view`, `alpha`, `colormap`, `bars` and `box`.

        Raises:
            UsageError: A value is none of the choices, or out of range.
        """
        frame = Frame(_flipped(self.image), self.frame_index, self.timestamp)
        drawn = Overlay().draw(frame, self, Status(look=Look(**look)))
        return _flipped(drawn.image)

    def save(self, path: str | Path, **look: Any) -> Path:
        """Write the image as `draw` returns it. An existing file is replaced.

        Args:
            path: The file. Its ending says the format: `.jpg`, `.png`, `.webp`, `.bmp` or `.tif`.
            look: As in `draw`.

        Returns:
            The path.

        Raises:
            UsageError: The ending is none of these, or the look is wrong.
            RecordingError: The file cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in _ENDINGS:
            raise UsageError(
                f"`path` is {str(path)!r}, which names no image format; end it in "
                f"{', '.join(_ENDINGS)}."
            )
        encoded = _encoded(self.draw(**look), path.suffix)
        with whole_file(path) as draft:
            draft.write_bytes(encoded)
        return path

    def _repr_png_(self) -> bytes:
        return _encoded(self.draw(), ".png")


def explain(
    image: AnyImage,
    target: str | int | None = None,
    *,
    model: str | nn.Module = "vgg19",
    weights: str | Path | None = None,
    labels: str | Path | Sequence[str] | None = None,
    layer: str | nn.Module | None = None,
    method: StillMethod = "gradcam",
    transform: Callable[[Image.Image], object] | None = None,
    device: str = "auto",
) -> ImageExplanation:
    """Explain which class a network recognises in an image, and where the evidence for it lies.

    The network that was loaded last stays in memory for the next call.

    Example:
        explanation = live_cam.explain("cat.jpg")
        print(explanation.label, explanation.probability)
        explanation.save("cat.cam.jpg")

    Args:
        image: A file, a Pillow image, an RGB array or a tensor (see `AnyImage`).
        target: The class to explain, by its name or index, or None for the top class.
        model: A network's name, as `load_classifier` takes it, or a module of your own from
            N×3×H×W to N×C logits, which is left as it was found.
        weights: A checkpoint for a named network, or None for its pretrained weights.
        labels: The class names: a file, or a sequence in the order of the outputs. None for the
            names of ImageNet's classes, or for plain numbers if there are not 1000 outputs.
        layer: The target layer: its dotted name or, of your own module, the layer itself. None to
            find it.
        method: One of `live_cam.settings.STILL_METHODS`.
        transform: For your own module: makes a Pillow image the network's input, 3×H×W. A crop is
            found out, so the heatmap lies where the network looked. None for ImageNet's
            preprocessing at 224×224.
        device: Where a named network runs: `auto`, `cpu`, `cuda`, `mps` and so on. Your own module
            runs where it is.

    Raises:
        UsageError: An argument is wrong; the message names it.
        WeightsError: The pretrained weights cannot be had.
        NonFiniteError: The network's logits or gradients are not finite.
    """
    rgb = _rgb(image)
    if isinstance(model, str):
        if transform is not None:
            raise UsageError(
                f"`transform` is for a module of your own, but `model` is {model!r}, which has "
                "its own preprocessing; leave `transform` out."
            )
        if not (layer is None or isinstance(layer, str)):
            raise UsageError(f"`layer` must be a name where `model` is one ({model!r}).")
        if not (labels is None or isinstance(labels, (str, Path))):
            raise UsageError(f"`labels` must be a file where `model` is a name ({model!r}).")
        explainer = _named_network(
            NetworkSettings(
                model=model,
                weights=_path(weights),
                labels=_path(labels),
                layer=layer,
                device=device,
            )
        )
        return _explained(explainer, rgb, target, method)
    if weights is not None:
        raise UsageError("`weights` are for a named network; load them into your module yourself.")
    if isinstance(labels, str):
        labels = Path(labels)
    loaded = load_own_network(model, layer, labels, transform)
    settings = NetworkSettings(engine="hook", precision="fp32")
    with BatchExplainer(settings, _log.warning, batch=1, loaded=loaded) as explainer:
        explainer.load()
        return _explained(explainer, rgb, target, method)


def overlay(
    image: AnyImage, heatmap: AnyMap, *, alpha: float = 0.45, colormap: Colormap = "jet"
) -> NDArray[np.uint8]:
    """Lay a heatmap over an image.

    Args:
        image: A file, a Pillow image, an RGB array or a tensor (see `AnyImage`).
        heatmap: A map of any size and scale (see `AnyMap`); its largest value gets full colour.
            Where values are below 0, they are drawn blue and those above 0 red.
        alpha: Weight of the heatmap's colours, in [0, 1].
        colormap: One of `live_cam.look.COLORMAPS`.

    Returns:
        H×W×3 uint8, RGB, of the image's size.

    Raises:
        UsageError: An argument is wrong; the message names it.
    """
    rgb = _rgb(image)
    region = seen = WHOLE
    if isinstance(heatmap, Explanation):
        region, seen = heatmap.region, heatmap.seen
        heatmap = heatmap.maps[0]
    values = heatmap.values if isinstance(heatmap, Heatmap) else _map(heatmap)
    signed = bool((values < 0).any())
    scaled = values / max(float(np.abs(values).max()), 1e-30)
    shown = Heatmap(scaled.astype(np.float32), _NO_CLASS, signed=signed)
    look = Look(alpha=alpha, colormap=colormap)
    return _flipped(Painter().paint(_flipped(rgb), shown, look, region=region, seen=seen))


def _explained(
    explainer: BatchExplainer,
    rgb: NDArray[np.uint8],
    target: str | int | None,
    method: StillMethod,
) -> ImageExplanation:
    index = TOP_CLASS if target is None else find_class(explainer.labels, str(target))
    with _computing:  # one pass at a time: the network's hook keeps the activations of the last
        (explanation,) = explainer.explain([_flipped(rgb)], Question((index,), (method,)))
    shared = {each.name: getattr(explanation, each.name) for each in fields(Explanation)}
    return ImageExplanation(**shared, image=rgb)


@lru_cache(maxsize=1)
def _named_network(settings: NetworkSettings) -> BatchExplainer:
    explainer = BatchExplainer(settings, _log.warning, batch=1)
    explainer.load()
    return explainer


def _rgb(image: AnyImage) -> NDArray[np.uint8]:
    """Return H×W×3 uint8, RGB, in an array of its own."""
    if isinstance(image, (str, Path)):
        path = Path(image)
        if not path.is_file():
            raise UsageError(f"`image` is {str(image)!r}, but there is no such file.")
        bgr = read_image(path)
        if bgr is None:
            raise UsageError(f"`image` is {str(image)!r}, which cannot be read as an image.")
        return _flipped(bgr)
    if isinstance(image, Image.Image):
        return on_white(upright(image))
    if isinstance(image, torch.Tensor):
        image = _channels_last(image)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or pixels.size == 0:
        raise UsageError(
            f"`image` has the shape {pixels.shape}; give H×W×3 (RGB), H×W×4 (RGBA) or H×W (grey)."
        )
    pixels = _bytes(pixels)
    if pixels.shape[2] == 4:
        return on_white(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.array(pixels)


def _channels_last(tensor: torch.Tensor) -> NDArray[np.generic]:
    tensor = tensor[0] if tensor.ndim == 4 and len(tensor) == 1 else tensor
    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3, 4):
        raise UsageError(f"`image` is a tensor of {tuple(tensor.shape)}; give 3×H×W.")
    pixels = tensor.detach().cpu().permute(1, 2, 0)
    if pixels.dtype is torch.bfloat16:
        pixels = pixels.float()
    array: NDArray[np.generic] = pixels.numpy()
    return array[..., 0] if array.shape[2] == 1 else array


def _bytes(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UsageError(
            f"`image` is of {pixels.dtype}; give uint8, or floating point from 0 to 1."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):
        raise UsageError(
            f"`image` has values from {low:g} to {high:g}; floating-point images run from 0 to 1, "
            "before any normalisation."
        )
    return np.rint(255.0 * np.asarray(pixels, np.float64)).astype(np.uint8)


def _map(values: NDArray[np.generic] | torch.Tensor) -> NDArray[np.float32]:
    """Return h×w float32, finite."""
    if isinstance(values, torch.Tensor):
        values = values.detach().float().cpu().numpy()
    numbers = np.asarray(values, np.float32)
    while numbers.ndim > 2 and numbers.shape[0] == 1:
        numbers = numbers[0]
    if numbers.ndim != 2 or numbers.size == 0:
        raise UsageError(f"`heatmap` has the shape {np.shape(values)}; give one map, h×w.")
    if not np.isfinite(numbers).all():
        raise UsageError("`heatmap` holds NaN or infinity; give finite numbers.")
    return numbers


def _flipped(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB as BGR, or BGR as RGB."""
    return np.ascontiguousarray(image[..., ::-1])


def _encoded(rgb: NDArray[np.uint8], ending: str) -> bytes:
    _, encoded = cv2.imencode(ending, _flipped(rgb))
    return encoded.tobytes()


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
