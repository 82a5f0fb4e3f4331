"""Each kind of output, from real photos and a real network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from live_cam.errors import RecordingError, UsageError
from live_cam.explain.batch import BatchExplainer
from live_cam.explanation import Explanation
from live_cam.frame import Frame
from live_cam.overlay import Drawn, Overlay, to_frame
from live_cam.overlay.status import Status
from live_cam.question import Question
from live_cam.record.destinations import whole_file
from live_cam.runtime.opencv import cv2
from live_cam.settings import NetworkSettings
from live_cam.stills.feature_maps import FeatureMaps
from tests.support.networks import COLOUR_LABELS, COLOURS, save_weights
from tests.support.program import read_video
from tests.support.running_stills import EMBEDDED, names, read, record, run

CUP = (310, 110)
"""The centre of the coffee in its cup, (x, y)."""
EVERYTHING = {"heatmap": True, "json": True, "panel": True}


@pytest.fixture
def coffee(tmp_path: Path, photos: dict[str, NDArray[np.uint8]]) -> Path:
    path = tmp_path / "coffee.png"
    cv2.imwrite(str(path), photos["coffee"])
    return path


def test_photos_are_recognised(photo_folder: Path, tmp_path: Path) -> None:
    photos = [photo_folder / name for name in ("chelsea.png", "coffee.png", "motorcycle_left.png")]
    pipeline, observer = run(*photos, output=tmp_path / "new" / "folder", batch=2)
    assert (pipeline.explained, pipeline.failed, pipeline.total) == (3, 0, 3)
    assert observer.labels["chelsea.png"][0] in ("tabby", "tiger cat", "Egyptian cat")
    assert observer.labels["coffee.png"] == ["espresso"]
    assert observer.labels["motorcycle_left.png"] == ["moped"]
    assert names(tmp_path / "new" / "folder") == [
        "chelsea.cam.jpg",
        "coffee.cam.jpg",
        "motorcycle_left.cam.jpg",
    ]


def test_the_overlay_has_the_images_size_and_is_hot_on_the_object(coffee: Path) -> None:
    run(coffee, bars=False)
    drawn, image = read(coffee.with_suffix(".cam.jpg")), read(coffee)
    assert drawn.shape == image.shape
    colours = (drawn - 0.55 * image) / 0.45
    assert colours[CUP[1], CUP[0]].argmax() == 2, "red where it is hot"
    assert colours[390, 590].argmax() == 0, "blue where it is not"
    assert np.abs(drawn[10:40, 10:190].astype(int) - image[10:40, 10:190]).mean() > 20, "the label"


def test_the_json_file_names_the_class_and_where_its_evidence_lies(coffee: Path) -> None:
    run(coffee, json=True)
    written = record(coffee.with_suffix(".json"))
    assert written["file"] == str(coffee)
    assert written["size"] == [600, 400]
    assert (written["label"], written["class_index"]) == ("espresso", 967)
    assert written["score"] > 0.8
    assert written["top"][0] == {key: written[key] for key in ("class_index", "label", "score")}
    assert len(written["top"]) == 5
    assert (written["network"], written["layer"]) == ("efficientnet_lite0", "bn2")
    assert (written["method"], written["evidence"]) == ("gradcam", "for")
    x, y = written["peak"]
    assert abs(x - CUP[0]) < 80
    assert abs(y - CUP[1]) < 80
    left, top, width, height = written["box"]
    assert left <= x < left + width
    assert top <= y < top + height
    assert written["strength"] > 0
    assert written["region"] == [0, 0, 1, 1]
    assert written["others"] == []


def test_the_heatmap_is_written_as_image_and_array(coffee: Path) -> None:
    run(coffee, heatmap=True, json=True)
    grey = read(coffee.with_suffix(".heatmap.png"))
    raw = np.load(coffee.with_suffix(".heatmap.npy"))
    assert grey.dtype == np.uint16
    assert grey.shape == (400, 600)
    assert raw.dtype == np.float32
    assert raw.shape == (7, 7)
    assert raw.max() == 1
    assert raw.min() >= 0
    np.testing.assert_allclose(grey / 65535, to_frame(raw, 600, 400), atol=1e-5)
    x, y = record(coffee.with_suffix(".json"))["peak"]
    assert grey[y, x] == 65535


def test_a_signed_heatmap_is_grey_where_there_is_no_evidence(coffee: Path) -> None:
    run(coffee, heatmap=True, json=True, counterfactual=True, target_classes=("tabby",))
    grey = read(coffee.with_suffix(".heatmap.png")) / 65535
    raw = np.load(coffee.with_suffix(".heatmap.npy"))
    assert raw.min() < 0
    assert np.abs(raw).max() == 1
    np.testing.assert_allclose(2 * grey - 1, to_frame(raw, 600, 400, signed=True), atol=1e-4)
    assert record(coffee.with_suffix(".json"))["evidence"] == "against"


def test_the_panel_shows_image_heatmap_bars_and_overlay(coffee: Path) -> None:
    run(coffee, panel=True, colormap="hot")
    panel, image = read(coffee.with_suffix(".panel.jpg")), read(coffee)
    gap, width, height = 11, 640, 427
    assert panel.shape == (2 * height + 3 * gap, 2 * width + 3 * gap, 3)
    left, right = slice(gap, gap + width), slice(2 * gap + width, 2 * (gap + width))
    upper, lower = slice(gap, gap + height), slice(2 * gap + height, 2 * (gap + height))
    drawn = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    assert np.abs(panel[upper, left][:350].astype(int) - drawn[:350]).mean() < 5
    heatmap, chart = panel[upper, right], panel[lower, left]
    assert heatmap[110, 320].min() > 200, "white hot"
    assert heatmap[300, 600].max() < 60
    assert chart.mean() < 60, "bars on a dark ground"
    accent = (np.abs(chart.astype(int) - (191, 212, 45)).max(axis=2) < 40).sum(axis=1)
    assert accent.max() > 400, "the bar of espresso is long"


def test_several_classes_get_one_overlay_each_and_share_a_panel(coffee: Path) -> None:
    _, observer = run(coffee, target_classes=("espresso", "Egyptian cat"), **EVERYTHING)
    assert observer.labels["coffee.png"] == ["espresso", "Egyptian cat"]
    assert names(coffee.parent) == [
        "coffee.Egyptian-cat.cam.jpg",
        "coffee.Egyptian-cat.heatmap.npy",
        "coffee.Egyptian-cat.heatmap.png",
        "coffee.espresso.cam.jpg",
        "coffee.espresso.heatmap.npy",
        "coffee.espresso.heatmap.png",
        "coffee.json",
        "coffee.panel.jpg",
        "coffee.png",
    ]
    written = record(coffee.with_suffix(".json"))
    assert written["label"] == "espresso"
    (cat,) = written["others"]
    assert cat["label"] == "Egyptian cat"
    assert cat["score"] < 0.01
    assert cat["peak"] != written["peak"]
    assert read(coffee.with_suffix(".panel.jpg")).shape[1] > 3 * 640


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_guided_gradcam_shows_single_pixels_where_the_evidence_lies(coffee: Path, fit: str) -> None:
    run(coffee, guided=True, fit=fit, json=True)
    guided = read(coffee.with_suffix(".guided.png")).astype(int)
    assert guided.shape == (400, 600, 3)
    amounts = np.abs(guided - 127.5).max(axis=2)
    left, _, width, _ = record(coffee.with_suffix(".json"))["region"]
    unseen = np.ones((400, 600), bool)
    unseen[:, max(0, round(600 * left)) : round(600 * (left + width))] = False
    assert amounts[unseen].max(initial=0) <= 1, "grey outside the region that the network saw"
    x, y = CUP
    assert amounts[y - 60 : y + 60, x - 100 : x + 100].mean() > 3 * amounts[320:, :150].mean()
    coarse = cv2.GaussianBlur(guided[..., 1] - 127.5, (0, 0), 20)
    assert guided[..., 1].std() > 4 * coarse.std(), "finer than a cell of the layer, 86 pixels"


def test_guided_gradcam_and_feature_maps_are_written_per_class(coffee: Path) -> None:
    run(coffee, guided=True, feature_maps="gif", maps=2, target_classes=("espresso", "cup"))
    assert names(coffee.parent) == [
        *(f"coffee.cup.{kind}" for kind in ("cam.jpg", "guided.png", "maps.gif")),
        *(f"coffee.espresso.{kind}" for kind in ("cam.jpg", "guided.png", "maps.gif")),
        "coffee.png",
    ]
    one, other = (read(coffee.with_suffix(f".{name}.guided.png")) for name in ("cup", "espresso"))
    assert (one != other).any()


def test_guided_gradcam_rejects_a_network_without_relus(coffee: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("test_vit", pretrained=False)
    weights = save_weights(network, tmp_path / "vit.pth")
    before = names(tmp_path)
    with pytest.raises(UsageError, match="none; choose a network with ReLUs"):
        run(coffee, guided=True, model="timm/test_vit", weights=weights)
    assert names(tmp_path) == before
    run(coffee, model="timm/test_vit", weights=weights)


@pytest.mark.parametrize("method", ["scorecam", "ablationcam"])
def test_perturbation_methods_explain_images(coffee: Path, method: str) -> None:
    run(coffee, method=method, layer="blocks.0", json=True, heatmap=True)
    written = record(coffee.with_suffix(".json"))
    assert (written["label"], written["method"], written["layer"]) == (
        "espresso",
        method,
        "blocks.0",
    )
    assert np.load(coffee.with_suffix(".heatmap.npy")).shape == (112, 112)


def test_several_layers_are_averaged(coffee: Path) -> None:
    run(coffee, layer="bn2", more_layers=("blocks.4",), json=True, heatmap=True, panel=True)
    assert record(coffee.with_suffix(".json"))["layer"] == "bn2 + blocks.4"
    assert np.load(coffee.with_suffix(".heatmap.npy")).shape == (224, 224)


@pytest.mark.parametrize("order", ["weight", "index"])
def test_the_gif_shows_each_feature_map_and_then_their_sum(coffee: Path, order: str) -> None:
    run(coffee, feature_maps="gif", maps=5, order=order)
    with Image.open(coffee.with_suffix(".maps.gif")) as animation:
        assert animation.n_frames == 6
        durations, frames = [], []
        for number in range(6):
            animation.seek(number)
            durations.append(animation.info["duration"])
            frames.append(np.asarray(animation.convert("RGB"))[..., ::-1].astype(int))
    assert sum(durations[:5]) == pytest.approx(5000 / 8, abs=10)
    assert durations[5] == 2000
    overlay = read(coffee.with_suffix(".cam.jpg")).astype(int)
    # Compared below the cards.
    differences = [np.abs(frame[200:] - overlay[200:]).mean() for frame in frames]
    assert differences[5] < 6, "the sum is the Grad-CAM itself"
    assert min(differences[:5]) > 10


class TitlesOnly(Overlay):
    """Draws nothing and records the titles."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []

    def draw(self, frame: Frame, explanation: Explanation | None, status: Status) -> Drawn:
        assert explanation is not None
        assert status.look.view == "overlay"
        assert status.caption is not None
        self.titles.append(status.caption)
        return Drawn(frame.image)


@pytest.mark.parametrize("order", ["weight", "index"])
def test_feature_maps_are_titled_with_number_and_weight(
    photos: dict[str, NDArray[np.uint8]], order: str
) -> None:
    overlay = TitlesOnly()
    with BatchExplainer(NetworkSettings(model=EMBEDDED), print) as explainer:
        explainer.load()
        maps = FeatureMaps(explainer, photos["coffee"], 967, count=7, order=order)
        question = Question((967,), feature_maps=5000)
        (explanation,) = explainer.explain([photos["coffee"]], question)
    assert len(list(maps.draw(overlay, Status(), "gif"))) == len(maps) == 8
    *titles, last = overlay.titles
    assert "sum" in last
    matches = [re.fullmatch(r"feature map #(\d+) ([+-]\d\.\d\d)", title) for title in titles]
    numbers = [(int(match[1]), float(match[2])) for match in matches if match]
    assert len(numbers) == 7
    place = 1 if order == "weight" else 0
    keys = [number[place] for number in numbers]
    assert keys == sorted(keys, reverse=order == "weight")
    whole, *feature_maps = explanation.maps
    assert len(feature_maps) == 1280
    total = sum(each.strength * each.values for each in feature_maps)
    expected = whole.strength * whole.values
    np.testing.assert_allclose(np.maximum(total, 0), expected, atol=1e-4 * expected.max())


def test_the_video_can_show_all_feature_maps(
    tmp_path: Path, photos: dict[str, NDArray[np.uint8]]
) -> None:
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(photos["coffee"], (60, 40)))
    run(small, feature_maps="mp4", maps=5000)
    video = read_video(tmp_path / "small.maps.mp4")
    assert len(video) == 1280 + 16, "the layer has 1280 maps; the last image stays 2 s"
    times = np.array([stamp for stamp, _ in video])
    np.testing.assert_allclose(np.diff(times), 1 / 8, atol=1e-3)
    assert names(tmp_path) == ["small.cam.jpg", "small.maps.mp4", "small.png"]


def test_vgg19_with_planted_weights_finds_each_colour(tmp_path: Path, colour_weights: Path) -> None:
    corners = {"red": (0, 0), "green": (170, 0), "blue": (170, 130)}
    for name, (x, y) in corners.items():
        image = np.full((240, 320, 3), 128, np.uint8)
        image[y : y + 110, x : x + 150] = COLOURS[name]
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    _, observer = run(tmp_path, model="vgg19", weights=colour_weights, json=True, heatmap=True)
    for name, (x, y) in corners.items():
        assert observer.labels[f"{name}.png"] == [COLOUR_LABELS[name]]
        grey = read(tmp_path / f"{name}.heatmap.png").astype(float)
        inside = grey[y : y + 110, x : x + 150].mean()
        grey[y : y + 110, x : x + 150] = np.nan
        assert inside > 3 * np.nanmean(grey)
        assert record(tmp_path / f"{name}.json")["layer"] == "features.35"


def test_the_chosen_method_is_used(coffee: Path) -> None:
    run(coffee, method="layercam", json=True, heatmap=True)
    layercam = np.load(coffee.with_suffix(".heatmap.npy"))
    assert record(coffee.with_suffix(".json"))["method"] == "layercam"
    run(coffee, json=True, heatmap=True, overwrite=True)
    assert np.abs(np.load(coffee.with_suffix(".heatmap.npy")) - layercam).max() > 0.02


def test_existing_files_are_kept_without_overwrite(coffee: Path) -> None:
    kept = coffee.with_suffix(".panel.jpg")
    kept.write_text("precious")
    for settings in ({}, {"target_classes": ("espresso", "cup")}):
        with pytest.raises(UsageError, match=r"coffee\.panel\.jpg already exists"):
            run(coffee, panel=True, **settings)
    assert kept.read_text() == "precious"
    assert names(coffee.parent) == ["coffee.panel.jpg", "coffee.png"]
    run(coffee, panel=True, overwrite=True)
    assert read(kept).ndim == 3


def test_a_second_run_skips_the_outputs_of_the_first(coffee: Path) -> None:
    run(coffee.parent, panel=True, heatmap=True)
    first = names(coffee.parent)
    _, observer = run(coffee.parent, panel=True, heatmap=True, overwrite=True)
    assert names(coffee.parent) == first
    assert observer.messages == ["Skipped 3 images written by an earlier run."]
    with pytest.raises(UsageError, match="only images written by an earlier run"):
        run(coffee.with_suffix(".cam.jpg"))


def test_images_with_the_same_stem_are_both_written(coffee: Path) -> None:
    other = coffee.with_suffix(".jpg")
    cv2.imwrite(str(other), np.full((50, 50, 3), 128, np.uint8))
    run(coffee.parent)
    shapes = {read(coffee.with_name(f"coffee{number}.cam.jpg")).shape for number in ("", "-2")}
    assert shapes == {(400, 600, 3), (50, 50, 3)}


class TestWholeFile:
    def test_a_finished_draft_replaces_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.cam.jpg"
        path.write_text("old")
        with whole_file(path) as draft:
            draft.write_text("new")
            assert path.read_text() == "old"
            assert draft.suffix == path.suffix
        assert path.read_text() == "new"
        assert names(tmp_path) == ["a.cam.jpg"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_a_failed_draft_leaves_nothing(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        def fail() -> None:
            with whole_file(tmp_path / "a.jpg") as draft:
                draft.write_text("half")
                raise error

        with pytest.raises(error):
            fail()
        assert names(tmp_path) == []

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "gone" / "a.jpg"
        with pytest.raises(RecordingError, match=r"a\.jpg"), whole_file(path) as draft:
            draft.write_text("x")
