from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.errors import EngineError, UsageError
from live_cam.evaluation.evaluator import RANDOM, Evaluator, ImageMetrics
from live_cam.evaluation.pipeline import EvaluationPipeline
from live_cam.settings import METHODS, EvaluationSettings

pytestmark = pytest.mark.usefixtures("small_network")
Write = Callable[..., Path]


class Observer:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.steps = 0
        self.done = 0

    def notify(self, text: str) -> None:
        self.messages.append(text)

    def begin(self, steps: int) -> None:
        self.steps = steps

    def step(self, count: int = 1) -> None:
        self.done += count


def run(folder: Path, **chosen: Any) -> tuple[EvaluationPipeline, Observer]:
    observer = Observer()
    usual: dict[str, Any] = {"methods": ("gradcam", "layercam"), "steps": 2}
    settings = EvaluationSettings(folder=folder, **(usual | chosen))
    pipeline = EvaluationPipeline(settings, observer)
    pipeline.run()
    return pipeline, observer


def text(pipeline: EvaluationPipeline) -> str:
    assert pipeline.evaluation is not None
    return pipeline.evaluation.text()


def test_the_json_file_has_every_image_and_the_table_their_means(
    write_images: Write, tmp_path: Path
) -> None:
    folder = write_images("b.png", "a.jpg", "c.png")
    pipeline, observer = run(folder, json=tmp_path / "metrics.json", steps=4)
    written = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert [each["file"] for each in written["evaluated"]] == ["a.jpg", "b.png", "c.png"]
    assert written["pictures"] == {
        "total": 3,
        "evaluated": 3,
        "failed": 0,
        "labelled": 0,
        "right": 0,
    }
    assert written["accuracy"] is None
    assert written["steps"] == [0, 0.25, 0.5, 0.75, 1]
    assert written["network"]["precision"] == "fp32"
    assert list(written["methods"]) == ["gradcam", "layercam", RANDOM]
    for method, means in written["methods"].items():
        each = [entry["methods"][method] for entry in written["evaluated"]]
        expected = {
            "average_drop": [one["drop"] for one in each],
            "increase_in_confidence": [one["increase"] for one in each],
            "deletion_area": [one["deletion"]["area"] for one in each],
            "insertion_area": [one["insertion"]["area"] for one in each],
        }
        for name in ("last_layer_correlation", "all_layers_correlation"):
            values = [one[name] for one in each]
            if method == RANDOM:
                assert [means[name], *values] == [None] * 4
            else:
                expected[name] = values
        for name, values in expected.items():
            assert means[name] == pytest.approx(np.mean(values)), name
        for entry, one in zip(written["evaluated"], each, strict=True):
            assert entry["explained"] == entry["top"]
            assert one["deletion"]["scores"][0] == pytest.approx(entry["top"]["score"], abs=1e-5)
            assert len(one["insertion"]["scores"]) == 5
    assert observer.done == observer.steps == 9
    lines = text(pipeline).splitlines()
    (row,) = [line.split() for line in lines if line.startswith("layercam")]
    assert float(row[1]) == pytest.approx(
        100 * written["methods"]["layercam"]["average_drop"], abs=0.05
    )
    assert float(row[5]) == pytest.approx(
        written["methods"]["layercam"]["deletion_area"], abs=0.0005
    )


def test_the_table_fits_80_columns(write_images: Write) -> None:
    pipeline, _ = run(write_images("a.png"), methods=())
    lines = text(pipeline).splitlines()
    assert max(len(line) for line in lines if not line.startswith("Images:")) <= 80
    first = lines.index("One image") + 2
    rows = lines[first : first + len(METHODS) + 2]
    assert [row.split()[0] for row in rows] == ["method", *METHODS, RANDOM]
    assert len({len(row) for row in rows}) == 1, "aligned"
    assert "not whether the prediction is right" in " ".join(lines)


def test_labelled_images_are_explained_by_class_and_give_an_accuracy(
    write_images: Write, tmp_path: Path
) -> None:
    names = ("class_2/a.png", "3/b.png", "class 2/c.png", "loose.png")
    _, _ = run(write_images(*names), json=tmp_path / "once.json")
    once = json.loads((tmp_path / "once.json").read_text(encoding="utf-8"))
    explained = {
        each["file"]: (each["explained"]["class_index"], each["shows"])
        for each in once["evaluated"]
    }
    two, three = ({"class_index": index, "label": f"class {index}"} for index in (2, 3))
    assert explained["class_2/a.png"] == explained["class 2/c.png"] == (2, two)
    assert explained["3/b.png"] == (3, three)
    (loose,) = [each for each in once["evaluated"] if each["file"] == "loose.png"]
    assert loose["explained"] == loose["top"]
    assert loose["shows"] is None
    # The truth is the top class for two of them, and another class for the third.
    tops = {each["file"]: each["top"]["class_index"] for each in once["evaluated"]}
    wrong = (tops["3/b.png"] + 1) % 7
    truth = tops | {"3/b.png": wrong}
    del truth["loose.png"]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    pipeline, _ = run(tmp_path / "pictures", truth=tmp_path / "truth.json")
    assert pipeline.evaluation is not None
    assert pipeline.evaluation.accuracy == pytest.approx(2 / 3)
    assert "Accuracy:   66.7 % (2 of 3)" in text(pipeline)
    assert "the true class (3), or else the top class (1)" in text(pipeline)


def test_metrics_do_not_depend_on_the_batch_size(write_images: Write, tmp_path: Path) -> None:
    folder = write_images("a.png", "b.png")
    for batch in (1, 5):
        run(folder, steps=7, batch=batch, json=tmp_path / f"{batch}.json")
    one, five = (
        json.loads((tmp_path / f"{batch}.json").read_text(encoding="utf-8"))["methods"]
        for batch in (1, 5)
    )
    for method, means in one.items():
        assert five[method] == pytest.approx(means, abs=1e-4)


def test_a_broken_image_is_reported_counted_and_skipped(
    write_images: Write, tmp_path: Path
) -> None:
    folder = write_images("a.png", "b.png")
    (folder / "broken.jpg").write_text("no image")
    pipeline, observer = run(folder, json=tmp_path / "metrics.json")
    assert pipeline.evaluation is not None
    assert pipeline.evaluation.failed == [folder / "broken.jpg"]
    assert "broken.jpg is not a readable image" in observer.messages[0]
    assert "2 of 3 in" in text(pipeline)
    assert "1 could not be measured" in text(pipeline)
    assert json.loads((tmp_path / "metrics.json").read_text())["failed"] == ["broken.jpg"]
    assert observer.done == observer.steps


def fail_after(count: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Evaluator.measure
    measured: list[int] = []

    def limited(
        self: Evaluator, image: NDArray[np.uint8], truth: int | None, seed: int, step: Any
    ) -> ImageMetrics:
        if len(measured) == count:
            raise error
        measured.append(seed)
        return measure(self, image, truth, seed, step)

    monkeypatch.setattr(Evaluator, "measure", limited)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("no memory")])
def test_results_are_kept_when_the_run_is_cut_short(
    write_images: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    folder = write_images("a.png", "b.png", "c.png")
    fail_after(2, error, monkeypatch)
    settings = EvaluationSettings(
        folder=folder, methods=("gradcam",), steps=1, json=tmp_path / "metrics.json"
    )
    pipeline = EvaluationPipeline(settings, Observer())
    with pytest.raises(type(error)):
        pipeline.run()
    assert "2 of 3 in" in text(pipeline)
    written = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert written["pictures"]["evaluated"] == 2


def test_no_file_is_written_without_results(
    write_images: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_images("a.png")
    fail_after(0, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run(folder, json=tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()


def test_an_existing_file_is_overwritten_only_on_request(
    write_images: Write, tmp_path: Path
) -> None:
    folder = write_images("a.png")
    (tmp_path / "metrics.json").write_text("precious")
    with pytest.raises(UsageError, match="already exists"):
        run(folder, json=tmp_path / "metrics.json")
    assert (tmp_path / "metrics.json").read_text() == "precious"
    run(folder, json=tmp_path / "metrics.json", overwrite=True)
    assert json.loads((tmp_path / "metrics.json").read_text())["pictures"]["evaluated"] == 1


def test_a_repeated_method_is_measured_once(write_images: Write) -> None:
    pipeline, _ = run(write_images("a.png"), methods=("gradcam", "gradcam"))
    assert text(pipeline).count("\ngradcam ") == 1
