"""A network small enough for hundreds of frames a second, registered with torchvision.

`--model tiny --weights FILE` then takes the same path as any other network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import nn
from torchvision.models import _api
from torchvision.transforms._presets import ImageClassification

NAME = "tiny"
SIDE = 32


class TinyWeights(_api.WeightsEnum):  # type: ignore[misc]  # torchvision has no types
    """The network's entry in torchvision's list of weights; there are none to download."""

    DEFAULT = _api.Weights(
        url="https://localhost/tiny.pth",
        transforms=partial(ImageClassification, crop_size=SIDE),
        meta={"_file_size": 0.0},
    )


def tiny(
    *, weights: TinyWeights | None = None, progress: bool = True, num_classes: int = 1000
) -> nn.Module:
    del weights, progress
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 16),
        nn.ReLU(inplace=True),
        nn.Linear(16, num_classes),
    )


@contextmanager
def registered() -> Iterator[None]:
    """Register the network with torchvision inside the `with` block."""
    # torchvision recognises its classifiers by the name of their module.
    tiny.__module__ = "torchvision.models.tiny"
    tiny.__annotations__["weights"] = TinyWeights | None
    _api.BUILTIN_MODELS[NAME] = tiny
    try:
        yield
    finally:
        del _api.BUILTIN_MODELS[NAME]
