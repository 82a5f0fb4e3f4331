"""Coloured rectangles, and small networks that recognise colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from live_cam.explain.loading import Loaded
from live_cam.network.classifier import Classifier
from live_cam.network.preprocess import Preprocessor
from tests.support.classifiers import SIZE
from tests.support.networks import randomised

CLASSES = 7


def small_vgg() -> nn.Sequential:
    """Return a VGG in small: convolutions with in-place ReLUs, poolings and linear layers."""
    network = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.AdaptiveAvgPool2d(4), nn.Flatten()),
        *(nn.Linear(256, 32), nn.ReLU(inplace=True), nn.Linear(32, CLASSES)),
    )
    randomised(network)
    # Larger weights tell the classes apart; otherwise the gradients would nearly vanish.
    for parameter in network[-1].parameters():
        parameter.mul_(3.0)
    return network


def colour_network() -> nn.Sequential:
    """Return a network that recognises colours, a smaller `support.networks.colour_vgg19`."""
    network = small_vgg()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        assert convolutions[0].bias is not None
        for channel in range(3):
            for colour in range(3):
                share = 1.0 if colour == channel else -0.5
                convolutions[0].weight[channel, colour, 1, 1] = share
            convolutions[0].bias[channel] = -0.5
            for layer in convolutions[1:]:
                layer.weight[channel, channel, 1, 1] = 1.0
            linears[0].weight[channel, channel * 16 : (channel + 1) * 16] = 1.0
            linears[1].weight[channel, channel] = 50.0
    return network


def load_instead(monkeypatch: pytest.MonkeyPatch, classifier: Classifier) -> None:
    """Make every `BatchExplainer` load this network."""
    cpu = torch.device("cpu")
    preprocess = Preprocessor(SIZE, classifier.mean, classifier.std, cpu)
    loaded = Loaded(classifier, preprocess, cpu)
    monkeypatch.setattr("live_cam.explain.loading.load_network", lambda *_: loaded)


def blocks(seed: int) -> NDArray[np.uint8]:
    """Return an image of a few coloured rectangles."""
    random = np.random.default_rng(seed)
    image = np.full((80, 100, 3), 128, np.uint8)
    for _ in range(6):
        x, y = random.integers(0, 80), random.integers(0, 60)
        width, height = random.integers(10, 50, 2)
        image[y : y + height, x : x + width] = random.integers(0, 256, 3)
    return image
