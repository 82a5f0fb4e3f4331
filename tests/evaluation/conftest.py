from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from live_cam.explain.batch import BatchExplainer
from live_cam.runtime.opencv import cv2
from live_cam.settings import NetworkSettings
from tests.support.blocks import blocks, colour_network, load_instead, small_vgg
from tests.support.classifiers import as_classifier


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    load_instead(monkeypatch, as_classifier(small_vgg(), "7"))


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchExplainer]:
    load_instead(monkeypatch, as_classifier(colour_network(), "7"))
    with BatchExplainer(NetworkSettings(), print) as explainer:
        explainer.load()
        yield explainer


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes images of these names into a folder."""

    def write(*names: str) -> Path:
        folder = tmp_path / "pictures"
        for seed, name in enumerate(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / name), blocks(seed))
        return folder

    return write
