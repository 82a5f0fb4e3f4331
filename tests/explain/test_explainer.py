from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from live_cam.errors import DeviceError, EngineError, UsageError
from live_cam.explain.explainer import Explainer
from live_cam.explain.loading import cores
from live_cam.frame import Frame
from live_cam.settings import EngineChoice, Settings

PATIENCE = 240.0
PAUSE = 0.03
"""Seconds between two frames of a camera, in which engines open."""


def explained(
    settings: Settings, image: NDArray[np.uint8]
) -> tuple[list[str], list[str], list[str]]:
    """Explain one image until the engine is settled; return engines, labels and sentences."""
    sentences: list[str] = []
    engines: list[str] = []
    labels: list[str] = []
    limit = time.monotonic() + PATIENCE
    with Explainer(settings, sentences.append) as explainer:
        explainer.load()
        index = 0
        while not engines or not explainer.settled:
            assert time.monotonic() < limit
            labels.append(explainer.explain(Frame(image, index, 0.0)).label)
            engines.append(explainer.engine)
            index += 1
            time.sleep(PAUSE)
    return engines, labels, sentences


def test_an_exact_engine_takes_over_with_a_sentence(photos: dict[str, NDArray[np.uint8]]) -> None:
    settings = Settings(model="efficientnet_lite0")
    engines, labels, sentences = explained(settings, photos["coffee"])
    assert set(labels) == {"espresso"}
    assert engines[0].startswith("hook cpu fp32")
    assert engines[-1] in ("torch cpu fp32", "openvino cpu fp32")
    assert any(text.startswith(f"Explaining with {engines[-1]}") for text in sentences)


def test_the_named_engine_explains(photos: dict[str, NDArray[np.uint8]]) -> None:
    for name in ("hook", "torch", "openvino"):
        settings = Settings(model="efficientnet_lite0", engine=name)
        engines, labels, _ = explained(settings, photos["coffee"])
        assert engines[-1] == f"{name} cpu fp32"
        assert set(labels) == {"espresso"}


def test_int8_explains_the_first_frame_of_a_file(
    photos: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    settings = Settings(model="efficientnet_lite0", precision="int8", every_frame=True)
    engines, labels, sentences = explained(settings, photos["coffee"])
    assert engines == ["openvino cpu int8"]
    assert labels == ["espresso"]
    assert "the maps correlate 0.9" in sentences[-1] or "the maps correlate 1.0" in sentences[-1]


def test_a_network_that_cannot_be_cut_is_explained_by_the_hook(
    monkeypatch: pytest.MonkeyPatch, photos: dict[str, NDArray[np.uint8]]
) -> None:
    def fail(_module: object, _layer: str) -> None:
        raise EngineError("torch.fx cannot follow it.")

    # By its full name, since the package itself has a function `cut`.
    monkeypatch.setattr(sys.modules["live_cam.network.cut"], "cut", fail)
    cases: list[tuple[EngineChoice, list[str]]] = [
        ("auto", []),
        ("torch", ["torch.fx cannot follow it."]),
    ]
    for engine, expected in cases:
        settings = Settings(model="efficientnet_lite0", engine=engine)
        engines, labels, sentences = explained(settings, photos["coffee"])
        assert (engines, labels) == (["hook cpu fp32"], ["espresso"])
        assert [text.rpartition(": ")[2] for text in sentences] == expected


@pytest.mark.parametrize("engine", ["hook", "torch"])
@pytest.mark.parametrize("options", [{"precision": "int8"}, {"device": "npu"}])
def test_an_unsupported_precision_or_device_is_rejected(
    engine: str, options: dict[str, str]
) -> None:
    settings = Settings(model="efficientnet_lite0", engine=engine, **options)  # type: ignore[arg-type]
    with (
        Explainer(settings, print) as explainer,
        pytest.raises(UsageError, match=f"by OpenVINO alone, not by the engine {engine}"),
    ):
        explainer.load()


def test_missing_openvino_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_cam.engines.candidates.openvino_devices", lambda: ())
    for settings in (
        Settings(model="efficientnet_lite0", engine="openvino"),
        Settings(model="efficientnet_lite0", precision="int8"),
    ):
        with (
            Explainer(settings, print) as explainer,
            pytest.raises(EngineError, match=r"pip install 'live-cam\[openvino\]'"),
        ):
            explainer.load()


def test_a_missing_accelerator_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("live_cam.engines.candidates.openvino_devices", lambda: ("cpu",))
    with (
        Explainer(Settings(model="efficientnet_lite0", device="npu"), print) as explainer,
        pytest.raises(DeviceError, match=r"no npu here, only cpu"),
    ):
        explainer.load()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(model="efficientnet_lite0", engine="hook"), max(1, cores() - 1)),
        (Settings(model="efficientnet_lite0", engine="hook", every_frame=True), cores()),
        (Settings(model="efficientnet_lite0", engine="hook", threads=2), 2),
    ],
    ids=["live", "every frame", "named"],
)
def test_one_core_is_reserved_for_drawing(settings: Settings, expected: int) -> None:
    for _ in range(2):  # a second one must not take yet another core away
        with Explainer(settings, print) as explainer:
            explainer.load()
            assert torch.get_num_threads() == expected
