"""The network and the frames that engines are measured on."""

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
"""After which the demo scene begins anew."""
_LARGEST_BIAS = 0.1


@contextmanager
def network(
    name: str, *, weights: Path | None = None, device: torch.device | None = None
) -> Iterator[tuple[Classifier, str]]:
    """Load a network, without a download: its speed does not depend on what it learnt.

    Args:
        name: The network's name.
        weights: As `weights_at_hand` takes them; what holds there holds here.
        device: Where to put it; None is the CPU.

    Yields:
        The network, and what weights it has, in words.

    Raises:
        UsageError: No such network, or weights that do not fit.
        WeightsError: The embedded network's package is not installed.
    """
    with weights_at_hand(name, weights) as (path, origin):
        yield load_classifier(name, weights=path, device=device), origin


@contextmanager
def weights_at_hand(name: str, weights: Path | None = None) -> Iterator[tuple[Path | None, str]]:
    """Find weights for a network that need no download.

    Where torchvision's weights are not cached it gets random ones. Nothing of such a network is
    kept behind the `with` block: while it is open, torch's hub folder, where int8 networks are
    cached, is a temporary one.

    Args:
        name: The network's name.
        weights: A state dict for it; None: torchvision's where they are cached, else random ones.

    Yields:
        The state dict, None for the network's own one, and what weights these are, in words.

    Raises:
        UsageError: No such network.
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
            f"random, since the pretrained ones ({download}) are not cached; speed does not "
            "depend on their values"
        )
        try:
            yield path, origin
        finally:
            torch.hub.set_dir(hub)


def random_weights(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Return a state dict for one of torchvision's networks, the same for the same seed.

    The weights are normal, of the variance that keeps activations in range behind ReLUs (He et
    al., "Delving Deep into Rectifiers", 2015, section 2.2). The biases are small and positive.
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
    """Return frames as the network wants them: of the demo scene, evenly from its start to its end.

    Args:
        classifier: Whose input they are made for.
        count: How many.
        device: Where to put them; None is the CPU.

    Returns:
        The frames, each 1×3×H×W float32, and what they show, in words. Without the demo's photos:
        seeded noise.
    """
    prepare = Preprocessor(classifier.input_size, classifier.mean, classifier.std, device)
    try:
        scene = DemoScene()
    except UsageError:
        noise = np.random.default_rng(0)
        shape = (SIZE[1], SIZE[0], 3)
        frames = [noise.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]
        return [prepare(frame) for frame in frames], "noise, since scikit-image is not installed"
    with scene:
        whole = int(_SCENE_SECONDS * RATE)
        frames = [scene.frame(number * whole // count) for number in range(count)]
        return [prepare(frame) for frame in frames], "of the demo scene"
