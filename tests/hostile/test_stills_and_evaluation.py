"""What is hostile to the live loop, tried on `live-cam image` and `live-cam evaluate`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from live_cam import look, settings
from live_cam.capture.image_paths import find_images
from live_cam.cli.evaluate import evaluate
from live_cam.cli.image import image
from live_cam.errors import UsageError
from live_cam.evaluation.images import read_truth
from live_cam.evaluation.measuring import RANDOM
from live_cam.evaluation.pipeline import EvaluationPipeline
from live_cam.settings import METHODS, STILL_METHODS, EvaluationSettings
from tests.hostile import tiny
from tests.hostile.flaws import (
    BLACK,
    WHITE,
    Change,
    checkpoint,
    folder,
    odd_images,
    overflowing_always,
    overflowing_on_white,
    plain,
    unresponsive,
)
from tests.hostile.sentences import Refused, attempt
from tests.hostile.words import VALUES, inside
from tests.stills.running import Observer, read, record
from tests.stills.running import run as explain

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True, scope="module")
def setting() -> Iterator[None]:
    before = np.seterr(all="raise")
    with tiny.registered():
        yield
    np.seterr(**before)


def measure(images: Path, weights: Path, **chosen: Any) -> tuple[EvaluationPipeline, Observer]:
    usual: dict[str, Any] = {"model": tiny.NAME, "methods": STILL_METHODS, "steps": 2}
    observer = Observer()
    pipeline = EvaluationPipeline(
        EvaluationSettings(folder=images, weights=weights, **usual | chosen), observer
    )
    pipeline.run()
    assert observer.done == observer.steps, "the progress bar ends where everything is done"
    return pipeline, observer


@pytest.mark.parametrize("change", [lambda _module: None, unresponsive])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("method", ["gradcam", "eigencam", *STILL_METHODS[len(METHODS) :]])
@pytest.mark.parametrize("layers", [("2",), ("0", "3")])
def test_few_classes_and_odd_images_in_every_output(
    tmp_path: Path, change: Change, classes: int, method: str, layers: tuple[str, ...]
) -> None:
    source = odd_images(tmp_path / "pictures", 6)
    weights = checkpoint(tmp_path / "few.pth", classes, change)
    signed = method in METHODS and len(layers) == 1

    done, observer = explain(
        source,
        model=tiny.NAME,
        weights=weights,
        method=method,
        layer=layers[0],
        more_layers=layers[1:],
        counterfactual=signed,
        output=tmp_path / "out",
        **dict.fromkeys(("heatmap", "json", "panel", "guided", "box"), True),
        feature_maps="gif",
        maps=99,
    )

    assert (done.explained, done.failed, observer.said) == (6, 0, [])
    for number in range(6):
        assert read(tmp_path / "out" / f"{number}.cam.jpg").any()
        said = record(tmp_path / "out" / f"{number}.json")
        assert 0 < said["score"] <= 1
        assert len(said["top"]) == classes
        heatmap = np.load(tmp_path / "out" / f"{number}.heatmap.npy")
        assert np.isfinite(heatmap).all()
        if change is unresponsive and method == "gradcam":
            assert not heatmap.any()
            assert said["box"] is None


@pytest.mark.parametrize("options", [{}, {"more_layers": ("0",)}, {"method": "scorecam"}])
@pytest.mark.parametrize("batch", [1, 8])
def test_a_image_that_overflows_is_passed_over_and_the_others_are_explained(
    tmp_path: Path, options: dict[str, Any], batch: int
) -> None:
    levels = (BLACK, WHITE, BLACK, WHITE, BLACK)
    source = folder(tmp_path / "pictures", [plain(level) for level in levels])
    weights = checkpoint(tmp_path / "bright.pth", 3, overflowing_on_white)

    done, observer = explain(
        source, model=tiny.NAME, weights=weights, batch=batch, output=tmp_path / "out", **options
    )

    assert (done.explained, done.failed) == (3, 2)
    assert sorted(observer.labels) == ["0.png", "2.png", "4.png"]
    assert [line.split(" cannot be explained")[0] for line in observer.said] == [
        str(source / "1.png"),
        str(source / "3.png"),
    ]
    assert all("not finite" in line for line in observer.said)
    assert not (tmp_path / "out" / "1.cam.jpg").exists()


def test_figures_of_few_classes_and_odd_images(tmp_path: Path) -> None:
    for classes in (1, 2):
        source = odd_images(tmp_path / f"images-{classes}", 6)
        weights = checkpoint(tmp_path / f"{classes}.pth", classes)
        done, _ = measure(source, weights, json=tmp_path / f"{classes}.json")

        assert done.evaluation is not None
        assert "nan" not in done.evaluation.text().casefold()
        figures = json.loads((tmp_path / f"{classes}.json").read_text())
        assert figures["pictures"]["evaluated"] == 6
        assert set(figures["methods"]) == {*STILL_METHODS, RANDOM}


def test_a_network_that_nothing_changes_has_figures_too(tmp_path: Path) -> None:
    source = odd_images(tmp_path / "pictures", 3)
    weights = checkpoint(tmp_path / "unresponsive.pth", 2, unresponsive)

    done, _ = measure(source, weights, methods=("gradcam",), json=tmp_path / "figures.json")

    assert done.evaluation is not None
    means = done.evaluation.means("gradcam")
    assert means["average_drop"] == 0
    assert "Found nothing that speaks for the class: gradcam in 3" in done.evaluation.text()


def test_a_image_that_overflows_is_not_measured_and_the_others_are(tmp_path: Path) -> None:
    source = folder(tmp_path / "pictures", [plain(level) for level in (BLACK, WHITE, BLACK)])
    weights = checkpoint(tmp_path / "bright.pth", 3, overflowing_on_white)

    done, observer = measure(source, weights)

    assert done.evaluation is not None
    assert [each.path.name for each in done.evaluation.done] == ["0.png", "2.png"]
    assert done.evaluation.failed == [source / "1.png"]
    assert len(observer.said) == 1
    assert "1.png cannot be measured and is passed over" in observer.said[0]


@pytest.mark.parametrize("command", ["image", "evaluate"])
def test_a_network_that_never_gives_finite_numbers_ends_with_1(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "pictures", [plain(WHITE), plain(BLACK)])
    weights = checkpoint(tmp_path / "broken.pth", 3, overflowing_always)
    words = [str(source), "--model", tiny.NAME, "--weights", str(weights)]

    code = {"image": image, "evaluate": evaluate}[command].main(words, standalone_mode=False)

    assert code == 1
    told = capsys.readouterr()
    assert told.err.count("check the weights") == 2
    assert "nan" not in told.out.casefold()


COMMANDS = {"image": (image, ["somewhere"]), "evaluate": (evaluate, ["."])}


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
def test_any_words_are_settings_in_their_ranges_or_refused(name: str, data: st.DataObject) -> None:
    command, arguments = COMMANDS[name]
    known = sorted({each for parameter in command.params for each in parameter.opts})
    pairs = st.tuples(st.sampled_from(known), VALUES)
    words = [word for pair in data.draw(st.lists(pairs, max_size=5)) for word in pair]
    try:
        chosen = command.make_context(name, arguments + words).params
    except (click.ClickException, click.exceptions.Exit):  # wrong, or --help
        return
    assert inside(chosen["threads"], settings.THREADS)
    assert inside(chosen["batch"], settings.BATCH)
    assert inside(chosen.get("alpha"), look.ALPHA)
    assert inside(chosen.get("maps"), settings.MAPS)
    assert chosen.get("method", "gradcam") in STILL_METHODS


@given(given_path=st.text(max_size=30))
@example("~nobody-of-that-name/a.png")
@example("a" * 5000)
@example("nul\0.png")
@example("\udcff\x1b[2J.png")
@example("[")
@example("**/[!]*")
@example("")
def test_any_path_is_images_or_one_sentence(tmp_path: Path, given_path: str) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert isinstance(attempt(lambda: find_images([given_path])), Refused)
    finally:
        os.chdir(before)


@given(data=st.binary(max_size=60), ending=st.sampled_from(("csv", "json")))
@example(b"[" * 100_000, "json")
@example(b'{"a": ' * 100_000, "json")
@example(b'{"a": ' + b"9" * 5000 + b"}", "json")
@example(b'"' + b"a" * 200_000, "csv")
@example(b"a,b\0\n", "csv")
@example(b"a\n" * 3, "csv")
def test_any_bytes_say_what_images_show_or_are_refused(
    tmp_path: Path, data: bytes, ending: str
) -> None:
    path = tmp_path / f"truth.{ending}"
    path.write_bytes(data)
    found = attempt(lambda: read_truth(path))
    if not isinstance(found, Refused):
        assert all(isinstance(each, str) for pair in found.items() for each in pair)


@given(shows=st.dictionaries(st.text(min_size=1), st.text() | st.integers(), max_size=5))
def test_what_is_written_as_json_is_read_as_it_is(
    tmp_path: Path, shows: dict[str, str | int]
) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(shows))
    assert read_truth(path) == {name: str(each) for name, each in shows.items()}


def test_a_pipe_for_the_truth_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "truth.csv")
    with pytest.raises(UsageError, match="it is no file"):
        read_truth(tmp_path / "truth.csv")


@pytest.mark.parametrize("batch", [settings.BATCH.high, 1])
def test_the_largest_batch_is_no_more_than_there_are_images(tmp_path: Path, batch: float) -> None:
    source = odd_images(tmp_path / "pictures", 2)
    weights = checkpoint(tmp_path / "3.pth", 3)
    done, _ = explain(
        source, model=tiny.NAME, weights=weights, batch=int(batch), method="ablationcam"
    )
    assert done.explained == 2
