"""The network and the frames to measure engines on."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torchvision import models

from live_cam.capture.demo import RATE, SIZE, DemoScene
from live_cam.errors import UsageError
from live_cam.network.classifier import load_classifier, missing_download
from live_cam.network.preprocess import Preprocessor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from live_cam.network.classifier import Classifier

_SCENE_SECONDS = 20.0
"""The duration of one cycle of the demo scene."""
_LARGEST_BIAS = 0.1


@contextmanager
def network(
    name: str, *, weights: Path | None = None, device: torch.device | None = None
) -> Iterator[tuple[Classifier, str]]:
    """Load a network without a download; its speed does not depend on its weights.

    Args:
        name: The network's name.
        weights: See `weights_at_hand`, whose remarks on the hub folder apply here, too.
        device: The network's device; None is the CPU.

    Yields:
        The network, and a description of its weights.

    Raises:
        UsageError: The network is unknown, or the weights do not fit.
        WeightsError: The embedded network's package is not installed.
    """
    with weights_at_hand(name, weights) as (path, origin):
        yield load_classifier(name, weights=path, device=device), origin


@contextmanager
def weights_at_hand(name: str, weights: Path | None = None) -> Iterator[tuple[Path | None, str]]:
    """Find weights for a network without a download.

    If torchvision's weights are not cached, the network gets random ones. torch's hub folder,
    where int8 networks are cached, is then a temporary folder inside the `with` block, so that
    nothing of the random network is kept.

    Args:
        name: The network's name.
        weights: A state dict, or None for torchvision's weights if they are cached and random ones
            otherwise.

    Yields:
        The path of the state dict, or None for the pretrained weights, and a description of the
        weights.

    Raises:
        UsageError: The network is unknown.
    """
    download = missing_download(name)
    if weights is not None or download is None:
        yield weights, f"those of {weights.name}" if weights else "pretrained"
        return
    hub = torch.hub.get_dir()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / f"{name}-random.pth"
        torch.save(random_weights(name), path)
        torch.hub.set_dir(folder)
        origin = (
            f"random, because the pretrained ones ({download}) are not cached; speed does not "
            "depend on the values"
        )
        try:
            yield path, origin
        finally:
            torch.hub.set_dir(hub)


def random_weights(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Return a random state dict for one of torchvision's networks, reproducible by its seed.

    The weights are normally distributed with the variance that keeps activations in range behind
    ReLUs (He et al., "Delving Deep into Rectifiers", 2015, section 2.2). The biases are small and
    positive.
    """
    generator = torch.Generator().manual_seed(seed)
    module = models.get_model(name, weights=None)
    with torch.no_grad():
        for layer in module.modules():
            for parameter in layer.parameters(recurse=False):
                if parameter.ndim > 1:
                    nn.init.kaiming_normal_(parameter, generator=generator)
                elif not isinstance(layer, nn.BatchNorm2d):
                    parameter.uniform_(0.0, _LARGEST_BIAS, generator=generator)
    state: dict[str, Tensor] = module.state_dict()
    return state


def benchmark_inputs(
    classifier: Classifier, count: int, device: torch.device | None = None
) -> tuple[list[Tensor], str]:
    """Return preprocessed frames, spread evenly over the demo scene.

    Args:
        classifier: The network to prepare them for.
        count: The number of frames.
        device: The frames' device; None is the CPU.

    Returns:
        The frames, each 1×3×H×W float32, and a description of them. Without the demo's photos they
        are seeded noise.
    """
    prepare = Preprocessor(classifier.input_size, classifier.mean, classifier.std, device)
    try:
        scene = DemoScene()
    except UsageError:
        noise = np.random.default_rng(0)
        shape = (SIZE[1], SIZE[0], 3)
        frames = [noise.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
        return [prepare(frame) for frame in frames], "noise, because scikit-image is not installed"
    with scene:
        whole = int(_SCENE_SECONDS * RATE)
        frames = [scene.frame(number * whole // count) for number in range(count)]
        return [prepare(frame) for frame in frames], "of the demo scene"
