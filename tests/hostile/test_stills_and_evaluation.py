"""Hostile input to `live-cam image` and `live-cam evaluate`."""

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
from live_cam.evaluation.evaluator import RANDOM
from live_cam.evaluation.images import read_truth
from live_cam.evaluation.pipeline import EvaluationPipeline
from live_cam.settings import METHODS, STILL_METHODS, EvaluationSettings
from tests.support import tiny
from tests.support.flaws import (
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
from tests.support.running_stills import Observer, read, record
from tests.support.running_stills import run as explain
from tests.support.sentences import Rejected, attempt
from tests.support.words import VALUES, inside

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
    assert observer.done == observer.steps, "the progress bar is full at the end"
    return pipeline, observer


@pytest.mark.parametrize("change", [lambda _module: None, unresponsive])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("method", ["gradcam", "eigencam", *STILL_METHODS[len(METHODS) :]])
@pytest.mark.parametrize("layers", [("2",), ("0", "3")])
def test_every_output_handles_few_classes_and_odd_images(
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

    assert (done.explained, done.failed, observer.messages) == (6, 0, [])
    for number in range(6):
        assert read(tmp_path / "out" / f"{number}.cam.jpg").any()
        written = record(tmp_path / "out" / f"{number}.json")
        assert 0 < written["score"] <= 1
        assert len(written["top"]) == classes
        heatmap = np.load(tmp_path / "out" / f"{number}.heatmap.npy")
        assert np.isfinite(heatmap).all()
        if change is unresponsive and method == "gradcam":
            assert not heatmap.any()
            assert written["box"] is None


@pytest.mark.parametrize("options", [{}, {"more_layers": ("0",)}, {"method": "scorecam"}])
@pytest.mark.parametrize("batch", [1, 8])
def test_an_image_that_overflows_is_skipped_and_the_others_explained(
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
    assert [line.split(" cannot be explained")[0] for line in observer.messages] == [
        str(source / "1.png"),
        str(source / "3.png"),
    ]
    assert all("not finite" in line for line in observer.messages)
    assert not (tmp_path / "out" / "1.cam.jpg").exists()


def test_metrics_of_few_classes_and_odd_images_are_finite(tmp_path: Path) -> None:
    for classes in (1, 2):
        source = odd_images(tmp_path / f"images-{classes}", 6)
        weights = checkpoint(tmp_path / f"{classes}.pth", classes)
        done, _ = measure(source, weights, json=tmp_path / f"{classes}.json")

        assert done.evaluation is not None
        assert "nan" not in done.evaluation.text().casefold()
        figures = json.loads((tmp_path / f"{classes}.json").read_text())
        assert figures["pictures"]["evaluated"] == 6
        assert set(figures["methods"]) == {*STILL_METHODS, RANDOM}


def test_an_unresponsive_network_has_metrics(tmp_path: Path) -> None:
    source = odd_images(tmp_path / "pictures", 3)
    weights = checkpoint(tmp_path / "unresponsive.pth", 2, unresponsive)

    done, _ = measure(source, weights, methods=("gradcam",), json=tmp_path / "figures.json")

    assert done.evaluation is not None
    means = done.evaluation.means("gradcam")
    assert means["average_drop"] == 0
    assert "Empty maps, without evidence for the class: gradcam in 3" in done.evaluation.text()


def test_an_image_that_overflows_is_skipped_and_the_others_measured(tmp_path: Path) -> None:
    source = folder(tmp_path / "pictures", [plain(level) for level in (BLACK, WHITE, BLACK)])
    weights = checkpoint(tmp_path / "bright.pth", 3, overflowing_on_white)

    done, observer = measure(source, weights)

    assert done.evaluation is not None
    assert [image.path.name for image in done.evaluation.measured] == ["0.png", "2.png"]
    assert done.evaluation.failed == [source / "1.png"]
    assert len(observer.messages) == 1
    assert "1.png cannot be measured; skipping it" in observer.messages[0]


@pytest.mark.parametrize("command", ["image", "evaluate"])
def test_a_network_without_finite_outputs_ends_with_exit_code_1(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "pictures", [plain(WHITE), plain(BLACK)])
    weights = checkpoint(tmp_path / "broken.pth", 3, overflowing_always)
    words = [str(source), "--model", tiny.NAME, "--weights", str(weights)]

    code = {"image": image, "evaluate": evaluate}[command].main(words, standalone_mode=False)

    assert code == 1
    printed = capsys.readouterr()
    assert printed.err.count("check the weights") == 2
    assert "nan" not in printed.out.casefold()


COMMANDS = {"image": (image, ["somewhere"]), "evaluate": (evaluate, ["."])}


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
def test_any_words_give_settings_in_range_or_are_rejected(name: str, data: st.DataObject) -> None:
    command, arguments = COMMANDS[name]
    known = sorted({name for parameter in command.params for name in parameter.opts})
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
def test_any_path_gives_images_or_one_sentence(tmp_path: Path, given_path: str) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert isinstance(attempt(lambda: find_images([given_path])), Rejected)
    finally:
        os.chdir(before)


@given(data=st.binary(max_size=60), ending=st.sampled_from(("csv", "json")))
@example(b"[" * 100_000, "json")
@example(b'{"a": ' * 100_000, "json")
@example(b'{"a": ' + b"9" * 5000 + b"}", "json")
@example(b'"' + b"a" * 200_000, "csv")
@example(b"a,b\0\n", "csv")
@example(b"a\n" * 3, "csv")
def test_any_bytes_are_a_truth_file_or_are_rejected(
    tmp_path: Path, data: bytes, ending: str
) -> None:
    path = tmp_path / f"truth.{ending}"
    path.write_bytes(data)
    classes = attempt(lambda: read_truth(path))
    if not isinstance(classes, Rejected):
        assert all(isinstance(text, str) for pair in classes.items() for text in pair)


@given(classes=st.dictionaries(st.text(min_size=1), st.text() | st.integers(), max_size=5))
def test_a_json_truth_file_is_read_unchanged(tmp_path: Path, classes: dict[str, str | int]) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(classes))
    assert read_truth(path) == {name: str(value) for name, value in classes.items()}


def test_a_pipe_as_truth_file_is_rejected_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "truth.csv")
    with pytest.raises(UsageError, match="it is not a file"):
        read_truth(tmp_path / "truth.csv")


@pytest.mark.parametrize("batch", [settings.BATCH.high, 1])
def test_a_batch_is_no_larger_than_the_number_of_images(tmp_path: Path, batch: float) -> None:
    source = odd_images(tmp_path / "pictures", 2)
    weights = checkpoint(tmp_path / "3.pth", 3)
    done, _ = explain(
        source, model=tiny.NAME, weights=weights, batch=int(batch), method="ablationcam"
    )
    assert done.explained == 2
