from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from benchmark import peers
from torch import Tensor, nn

from live_cam.cam.gradcam import GradCAM
from live_cam.network.classifier import Classifier
from tests.support.classifiers import as_classifier, images
from tests.support.networks import randomised, tiny_network

NAMES = ["seed", "pytorch-grad-cam", "torchcam", "captum"]
TOLERANCE = 1e-4


class SmallVGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(4),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(nn.Linear(784, 32), nn.ReLU(inplace=True), nn.Linear(32, 9))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))
        return scores


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def small_vgg() -> Classifier:
    return as_classifier(randomised(SmallVGG()), "features.4")


@pytest.mark.filterwarnings("ignore:.*requires_grad:UserWarning")
def test_all_peers_compute_our_map(stack: ExitStack, small_vgg: Classifier) -> None:
    batch = images(3)
    opened, missing = peers.open_peers(small_vgg, torch.device("cpu"), batch[:1], stack)
    assert missing == {}
    assert [peer.name for peer in opened] == NAMES
    assert not any(peer.ours for peer in opened)
    for index in range(3):
        x = batch[index : index + 1]
        with GradCAM(small_vgg.module, small_vgg.layer) as cam:
            ours = cam(x)
        assert float(ours.cam.max()) > 0, "an empty map compares nothing"
        for peer in opened:
            submission = peer.explain(x)
            assert submission.class_index == int(ours.class_index), peer.name
            theirs = torch.from_numpy(submission.cam)
            # The seed averages the channels instead of summing them.
            theirs = theirs * (16 if peer.name == "seed" else 1)
            deviation = (theirs - ours.cam[0]).abs().max() / ours.cam.max()
            assert float(deviation) <= TOLERANCE, peer.name


def test_the_network_is_left_unchanged(stack: ExitStack, small_vgg: Classifier) -> None:
    before = {key: value.clone() for key, value in small_vgg.module.state_dict().items()}
    x = images()
    opened, _ = peers.open_peers(small_vgg, torch.device("cpu"), x, stack)
    for peer in opened:
        peer.explain(x)
    for parameter in small_vgg.module.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None
    assert not any(module._forward_hooks for module in small_vgg.module.modules())
    for key, value in small_vgg.module.state_dict().items():
        assert torch.equal(value, before[key])


def test_copies_share_only_the_weights(small_vgg: Classifier) -> None:
    twin = peers.trainable_copy(small_vgg.module)
    for mine, theirs in zip(small_vgg.module.parameters(), twin.parameters(), strict=True):
        assert theirs.data_ptr() == mine.data_ptr()
        assert theirs.requires_grad
        assert not mine.requires_grad


def test_the_seed_explains_only_vgg(stack: ExitStack) -> None:
    classifier = as_classifier(tiny_network(), "1")
    opened, missing = peers.open_peers(classifier, torch.device("cpu"), images(), stack)
    assert missing == {"seed": "the seed explains only VGG, not Sequential."}
    assert [peer.name for peer in opened] == NAMES[1:]


def test_a_missing_peer_is_listed(
    stack: ExitStack, small_vgg: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def import_module(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", import_module)
    opened, missing = peers.open_peers(small_vgg, torch.device("cpu"), images(), stack)
    assert [peer.name for peer in opened] == ["seed"]
    assert missing["captum"] == "not installed (No module named 'captum.attr')"
