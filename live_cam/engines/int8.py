"""Int8 networks: quantised once, cached beside the weights, and verified before each use."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import nn

from live_cam.engines.calibration import calibration_images
from live_cam.engines.child import run_child
from live_cam.engines.closed_form import LinearStack, find_form
from live_cam.engines.conversion import ModulePart, convert
from live_cam.engines.openvino import Models, OpenVINOEngine, gradient_part
from live_cam.errors import EngineError, first_line
from live_cam.network.preprocess import Preprocessor

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines.closed_form import ClosedForm
    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut

_SCHEME: Final = 2
"""Incremented whenever the content of the cache changes."""
_IMAGES: Final = 256


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per row, and float32 arithmetic.

    At batch 1 the time of such a layer is that of reading its weights: a quarter of the bytes take
    a quarter of the time. OpenVINO keeps the int8 weights and unpacks them while it multiplies.
    """

    def __init__(self, layer: nn.Linear) -> None:
        """Quantise a layer's weights."""
        super().__init__()
        weight = layer.weight.detach()
        scale = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-30) / 127
        self.weight: Tensor
        self.scale: Tensor
        self.register_buffer("weight", (weight / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = layer.bias

    def forward(self, features: Tensor) -> Tensor:
        """Multiply N×F features by the weights; returns N×G."""
        return nn.functional.linear(features, self.weight.float() * self.scale, self.bias)


def open_int8(
    classifier: Classifier,
    halves: Cut,
    device: str = "cpu",
    frames: Sequence[NDArray[np.uint8]] = (),
    stop: threading.Event | None = None,
) -> OpenVINOEngine:
    """Open a network in int8, from the cache or by quantising it, which takes up to minutes.

    The trunk's activations and weights are int8. The head has int8 weights and float32 arithmetic,
    and the gradient uses the head's original weights in float32.

    Args:
        classifier: The network, on the CPU.
        halves: The network, cut at its target layer.
        device: One of `openvino_devices()`.
        frames: The user's frames for calibration, H×W×3 BGR, in addition to the demo's photos.
        stop: Aborts when set.

    Raises:
        EngineError: The network cannot be opened in int8; the message says why.
    """
    folder = cache_folder(classifier)
    example = torch.zeros(1, 3, *classifier.input_size)
    form, activation = find_form(halves, classifier.axes, example)
    if not _is_sound(folder):
        _Build(classifier, halves, form, activation, stop).into(folder, frames)
    models = _read(folder, form, activation, stop)
    return OpenVINOEngine(classifier, halves, "int8", device, models)


def cache_folder(classifier: Classifier) -> Path:
    """Return the cache folder of a network's int8 form, which may not exist yet.

    Its name is a hash of everything that the form depends on: the weights, the layer, the
    preprocessing, and the versions of OpenVINO and NNCF.
    """
    digest = hashlib.sha256()
    for name, tensor in classifier.module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    digest.update(
        repr(
            (
                _SCHEME,
                classifier.layer,
                classifier.input_size,
                classifier.mean,
                classifier.std,
                _version("openvino"),
                _version("nncf"),
            )
        ).encode()
    )
    name = classifier.name.replace("/", "-")
    return Path(torch.hub.get_dir()) / "live_cam" / f"{name}-{digest.hexdigest()[:32]}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise EngineError(
            f"int8 needs the package {package}; install it with: pip install 'live-cam[openvino]'"
        ) from error


def _is_sound(folder: Path) -> bool:
    """Whether the folder is complete and every file is unchanged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        return bool(manifest["files"]) and all(
            _hash(folder / name) == digest for name, digest in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(
    folder: Path, form: ClosedForm | None, activation: Tensor, stop: threading.Event | None
) -> Models:
    import openvino

    core = openvino.Core()
    trunk = core.read_model(folder / "trunk.xml")
    if form is None:
        return Models(trunk)
    head = core.read_model(folder / "head.xml")
    return Models(trunk, head, *convert([gradient_part(form, activation)], stop))


def _put(made: Path, folder: Path) -> None:
    """Move a new cache entry to its place, unless another program has put a sound one there.

    The other program may be reading that entry, which must not vanish.

    Raises:
        OSError: The entry cannot be moved.
    """
    try:
        made.rename(folder)  # succeeds if there is nothing, or an empty folder
    except OSError:
        if _is_sound(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


class _Build:
    """Builds one cache entry beside its place, and then moves it there as a whole."""

    def __init__(
        self,
        classifier: Classifier,
        halves: Cut,
        form: ClosedForm | None,
        activation: Tensor,
        stop: threading.Event | None,
    ) -> None:
        self._classifier = classifier
        self._halves = halves
        self._form = form
        self._activation = activation
        self._stop = stop

    def into(self, folder: Path, frames: Sequence[NDArray[np.uint8]]) -> None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
                made = Path(scratch) / "int8"
                made.mkdir()
                self._make_trunk(Path(scratch), made, frames)
                self._make_head(made)
                files = {path.name: _hash(path) for path in sorted(made.iterdir())}
                (made / "manifest.json").write_text(json.dumps({"files": files}, indent=1))
                _put(made, folder)
        except OSError as error:
            raise EngineError(
                f"the int8 network cannot be cached in {folder.parent} "
                f"({error.strerror or error}); free some space or set TORCH_HOME to another folder."
            ) from error

    def _make_trunk(self, scratch: Path, made: Path, frames: Sequence[NDArray[np.uint8]]) -> None:
        import openvino

        classifier = self._classifier
        prepare = Preprocessor(classifier.input_size, classifier.mean, classifier.std)
        images = [prepare(view) for view in calibration_images(frames, _IMAGES)]
        np.save(scratch / "images.npy", torch.cat(images).numpy())
        (model,) = convert([ModulePart(self._halves.trunk, (images[0],))], self._stop)
        openvino.save_model(model, scratch / "float.xml", compress_to_fp16=False)
        paths = [scratch / "float.xml", scratch / "images.npy", made / "trunk.xml"]
        try:
            run_child("live_cam.engines.quantise", [*map(str, paths)], scratch / "log", self._stop)
        except EngineError as error:
            raise EngineError(
                f"the network cannot be quantised ({first_line(error)}); use `precision=fp32`."
            ) from error

    def _make_head(self, made: Path) -> None:
        if self._form is None:
            return
        import openvino

        layers = [Int8Linear(layer) for layer in self._form.linear]
        logits = LinearStack(self._form.pooling, layers)
        (head,) = convert([ModulePart(logits, (self._activation,))], self._stop)
        openvino.save_model(head, made / "head.xml", compress_to_fp16=False)
