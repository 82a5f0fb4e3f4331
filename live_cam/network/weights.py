"""Pretrained weights: from the cache of torchvision or timm, or downloaded into it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import nn
from torchvision import models

from live_cam.errors import WeightsError, first_line
from live_cam.network.torch_file import check_file
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchvision.models import WeightsEnum

_REACH_TIMEOUT: Final = 10.0
_TORCH_ENDINGS: Final = (".bin", ".pt", ".pth")
"""Of files that torch wrote. safetensors and NumPy files hold no pickle."""


def cached_file(weights: WeightsEnum) -> Path:
    """Return where torch's hub cache keeps these weights, whether or not they are there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name


def load_pretrained(name: str, weights: WeightsEnum) -> nn.Module:
    """Return a torchvision network with its pretrained weights.

    torchvision loads them, with its progress bar, its cache, its hash check and its knowledge of
    each old checkpoint's peculiarities, except that nothing in the file is executed.

    Args:
        name: The network's name in torchvision.
        weights: Which of its weights to load.

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
    """Guard a library's own loading of weights, which runs inside the `with` block.

    Nothing in a file is executed. Before a download, the server must respond within seconds,
    because the libraries themselves may wait forever.

    Args:
        name: The network's name, as the user knows it.
        url: Where the weights are.
        find: Returns the cached file, if there is one.
        by_hand: Another way to get the weights, for the error text.

    Raises:
        WeightsError: The weights are neither cached nor reachable, or the file is broken.
    """
    others = f"use `model={EMBEDDED_MODEL}`, which needs no download"
    remedies = ", ".join(
        (*([by_hand] if by_hand else []), "name a state dict with `weights`", f"or {others}")
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
            f"the weights of {name} are not in the cache and cannot be downloaded from {url} "
            f"({reason}); check the network, {remedies}."
        ) from error
    except Exception as error:  # torch's unpickler may raise anything on a broken file
        cached = find()
        what = f"the cached weights {cached} are" if cached else "the downloaded file is"
        raise WeightsError(
            f"{what} broken ({first_line(error)}); delete the file and start again, or {remedies}."
        ) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """Keep torch.load from executing anything, which torchvision itself does not request."""
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
    """Send a HEAD request for the file to download."""
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=_REACH_TIMEOUT):
        pass
