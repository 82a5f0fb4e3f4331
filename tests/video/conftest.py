from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from live_cam.explain.loading import Loaded
from live_cam.network.preprocess import Preprocessor
from tests.support.classifiers import SIZE, as_classifier
from tests.support.clips import SHADES
from tests.support.networks import shade_network


@pytest.fixture(autouse=True)
def shades(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace every network by one that recognises the shades by their numbers."""
    module = shade_network(SHADES)
    classifier = replace(
        as_classifier(module, "0", "shades"),
        labels=tuple(f"number {number}" for number in range(len(SHADES))),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )
    device = torch.device("cpu")
    preprocess = Preprocessor(SIZE, classifier.mean, classifier.std, device)
    loaded = Loaded(classifier, preprocess, device)
    monkeypatch.setattr("live_cam.explain.loading.load_network", lambda *_: loaded)
