from __future__ import annotations

import json
import subprocess
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from live_cam.engines import calibration, int8, open_engine
from live_cam.engines.calibration import calibration_images
from live_cam.engines.int8 import Int8Linear, cache_folder
from live_cam.errors import EngineError, UsageError
from live_cam.network.classifier import Classifier, load_classifier
from live_cam.network.preprocess import Preprocessor
from tests.support.classifiers import as_classifier, images
from tests.support.networks import tiny_network


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.hub, "_hub_dir", str(folder))
        yield folder


@pytest.fixture
def quantisations(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the quantisations that run from now on."""
    commands: list[list[str]] = []
    popen = subprocess.Popen

    def counting(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", counting)
    return commands


def small(seed: int = 0) -> Classifier:
    return as_classifier(tiny_network(seed=seed), "1")


@pytest.fixture(scope="module")
def lite0() -> Classifier:
    return load_classifier("efficientnet_lite0")


def views(photos: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Views of each photo outside the calibration: overlapping windows."""
    found = []
    for photo in photos.values():
        height, width = photo.shape[0] * 3 // 4, photo.shape[1] * 3 // 4
        for rows in (photo[:height], photo[-height:]):
            found += [rows[:, :width], rows[:, -width:]]
    return found


@pytest.mark.usefixtures("hub")
def test_real_photos_are_named_and_located_as_in_float32(
    lite0: Classifier, photos: dict[str, NDArray[np.uint8]]
) -> None:
    prepare = Preprocessor(lite0.input_size, lite0.mean, lite0.std)
    correlations, agree, clear = [], [], []
    with (
        open_engine("hook", lite0) as plain,
        open_engine("openvino", lite0, precision="int8") as engine,
    ):
        assert (engine.precision, engine.exact) == ("int8", False)
        for view in views(photos):
            expected = plain.explain(prepare(view))
            best = expected.logits.softmax(1).topk(2).values[0]
            agree.append(
                int(expected.class_index) == int(engine.explain(prepare(view)).class_index)
            )
            clear.append(float(best[0] - best[1]) > 0.1)
            found = engine.explain(prepare(view), int(expected.class_index))
            both = torch.stack([expected.cam.flatten(), found.cam.flatten()])
            correlations.append(float(torch.corrcoef(both)[0, 1]))
    assert np.median(correlations) > 0.99
    assert sum(clear) >= 8
    assert all(same for same, sure in zip(agree, clear, strict=True) if sure)


@pytest.mark.usefixtures("hub")
def test_the_trunk_computes_in_int8_and_the_head_reads_int8_weights(lite0: Classifier) -> None:
    import openvino

    open_engine("openvino", lite0, precision="int8").close()
    core = openvino.Core()
    trunk = core.read_model(cache_folder(lite0) / "trunk.xml")
    kinds = [node.get_type_name() for node in trunk.get_ordered_ops()]
    assert kinds.count("FakeQuantize") > 20
    head = core.read_model(cache_folder(lite0) / "head.xml")
    constants = [n for n in head.get_ordered_ops() if n.get_type_name() == "Constant"]
    assert any(node.get_output_element_type(0) == openvino.Type.i8 for node in constants)


@pytest.mark.usefixtures("hub")
def test_a_network_is_quantised_once(quantisations: list[list[str]]) -> None:
    with open_engine("openvino", small(), precision="int8") as first:
        expected = first.explain(images(), 3)
    with open_engine("openvino", small(), precision="int8") as second:
        torch.testing.assert_close(second.explain(images(), 3).cam, expected.cam)
    assert len(quantisations) == 1


@pytest.mark.usefixtures("hub")
def test_other_weights_and_layers_have_their_own_cache() -> None:
    folders = {
        cache_folder(small()),
        cache_folder(small(seed=1)),
        cache_folder(as_classifier(tiny_network(), "0")),
    }
    assert len(folders) == 3
    assert cache_folder(small()) in folders


@pytest.mark.usefixtures("hub")
def test_another_version_has_its_own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_folder(small())
    monkeypatch.setattr(int8, "version", lambda _package: "9999.0")
    assert cache_folder(small()) != before


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda f: (f / "trunk.xml").write_bytes(b"x"), id="other bytes"),
        pytest.param(lambda f: (f / "trunk.xml").unlink(), id="a file is missing"),
        pytest.param(lambda f: (f / "manifest.json").write_text("{"), id="broken manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_text("[]"), id="another manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_text('{"files": {}}'), id="empty one"),
    ],
)
def test_a_broken_cache_is_detected(damage: Any, tmp_path: Path) -> None:
    put_by_another(tmp_path / "entry", "whole")
    assert int8._is_sound(tmp_path / "entry")
    damage(tmp_path / "entry")
    assert not int8._is_sound(tmp_path / "entry")


@pytest.mark.usefixtures("hub")
def test_a_broken_cache_is_rebuilt(quantisations: list[list[str]]) -> None:
    open_engine("openvino", small(), precision="int8").close()
    quantisations.clear()
    (cache_folder(small()) / "trunk.bin").write_bytes(b"x")
    with open_engine("openvino", small(), precision="int8") as engine:
        assert bool(torch.isfinite(engine.explain(images()).cam).all())
    assert len(quantisations) == 1


@pytest.mark.usefixtures("hub")
def test_a_quantisation_that_fails_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, hub: Path
) -> None:
    def broken(command: list[str], **options: Any) -> Any:
        return popen([command[0], "-c", "raise SystemExit('no room for numbers')"], **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", broken)
    classifier = small(seed=3)
    with pytest.raises(EngineError, match=r"no room for numbers.*`precision=fp32`"):
        open_engine("openvino", classifier, precision="int8")
    assert not cache_folder(classifier).exists()
    assert not list((hub / "live_cam").glob(".building*"))


@pytest.mark.usefixtures("hub")
def test_a_quantisation_can_be_stopped() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(EngineError, match="stopped"):
        open_engine("openvino", small(seed=4), precision="int8", stop=stop)
    assert not cache_folder(small(seed=4)).exists()


@pytest.mark.usefixtures("hub")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "live_cam").write_text("a file is in the way")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(EngineError, match=r"cannot be cached in .*TORCH_HOME"):
        open_engine("openvino", small(), precision="int8")


def test_missing_nncf_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(int8, "version", missing)
    with pytest.raises(EngineError, match=r"pip install 'live-cam\[openvino\]'"):
        open_engine("openvino", small(), precision="int8")


def test_int8_linear_is_the_layer_up_to_half_a_step() -> None:
    layer = nn.Linear(64, 8)
    features = torch.randn(5, 64)
    step = layer.weight.detach().abs().amax(1) / 127
    allowed = 0.5 * step * features.abs().sum(1, keepdim=True) + 1e-5
    assert bool(((Int8Linear(layer)(features) - layer(features)).abs() <= allowed).all())


def test_int8_linear_of_a_row_of_zeros_is_finite() -> None:
    layer = nn.Linear(4, 2)
    nn.init.zeros_(layer.weight)
    torch.testing.assert_close(Int8Linear(layer)(torch.ones(1, 4)), layer.bias[None])


class TestCalibration:
    def test_frames_and_photos_take_turns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        dark, bright = np.full((8, 8, 3), 40, np.uint8), np.full((8, 8, 3), 200, np.uint8)
        monkeypatch.setattr(calibration, "demo_photos", lambda: [bright])
        levels = [float(view.mean()) for view in calibration_images([dark], 10)]
        assert all(level > 90 for level in levels[::2])
        assert all(level < 90 for level in levels[1::2])

    def test_the_same_seed_gives_the_same_images(self, photos: dict[str, Any]) -> None:
        frames = list(photos.values())
        first, again = (list(calibration_images(frames, 6)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert len({view.shape for view in first}) > 1

    def test_an_image_of_one_pixel(self) -> None:
        assert len(list(calibration_images([np.zeros((1, 1, 3), np.uint8)], 4))) == 4

    def test_without_frames_or_photos(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing() -> list[Any]:
            raise UsageError("not installed")

        monkeypatch.setattr(calibration, "demo_photos", missing)
        with pytest.raises(EngineError, match=r"pip install 'live-cam\[demo\]'"):
            next(calibration_images([], 1))


def put_by_another(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "trunk.xml").write_text(text)
    files = {"trunk.xml": int8._hash(folder / "trunk.xml")}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


def test_an_entry_that_another_program_has_cached_meanwhile_stays(tmp_path: Path) -> None:
    made, folder = tmp_path / "made", tmp_path / "entry"
    put_by_another(folder, "theirs")
    put_by_another(made, "ours")
    before = (folder / "trunk.xml").stat().st_ino
    int8._put(made, folder)
    assert (folder / "trunk.xml").stat().st_ino == before, "they may be reading it"

    (folder / "trunk.xml").write_text("cut off")
    int8._put(made, folder)
    assert (folder / "trunk.xml").read_text() == "ours", "what is broken is replaced"
