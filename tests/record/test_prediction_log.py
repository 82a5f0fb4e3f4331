from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_cam.errors import RecordingError, UsageError
from live_cam.explanation import Prediction
from live_cam.record.prediction_log import PredictionLog
from tests.support.explanations import tiger_cat


def read(path: Path) -> list[Any]:
    def reject(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line, parse_constant=reject) for line in lines]


def test_writes_one_object_per_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with PredictionLog(path) as log:
        log.write(tiger_cat(3), (320, 240))
        log.write(tiger_cat(4), (0, 7))

    first, second = read(path)

    assert first == {
        "frame": 3,
        "timestamp": 12.5,
        "class_index": 282,
        "label": "tiger cat",
        "score": 0.25,
        "top": [
            {"class_index": 281, "label": "tabby", "score": 0.5},
            {"class_index": 282, "label": "tiger cat", "score": 0.25},
        ],
        "peak": [320, 240],
        "seconds": {"preprocess": 0.001, "gradcam": 0.02},
    }
    assert (second["frame"], second["peak"]) == (4, [0, 7])
    assert log.count == 2


def test_each_line_is_written_immediately(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with PredictionLog(path) as log:
        for count in range(1, 4):
            log.write(tiger_cat(count), (1, 2))
            assert [line["frame"] for line in read(path)] == list(range(1, count + 1))


def test_numpy_values_become_numbers(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with PredictionLog(path) as log:
        top: Any = (Prediction(np.int64(5), "a", np.float32(0.5)),)
        peak: Any = (np.int64(9), np.int32(8))
        log.write(tiger_cat(np.int64(1), probability=np.float32(0.5), top=top), peak)
    [line] = read(path)
    assert (line["frame"], line["score"], line["peak"]) == (1, 0.5, [9, 8])
    assert line["top"] == [{"class_index": 5, "label": "a", "score": 0.5}]


def test_non_finite_numbers_become_null(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    top = (Prediction(1, "a", float("nan")),)
    with PredictionLog(path) as log:
        log.write(
            tiger_cat(
                timestamp=float("inf"), probability=float("-inf"), top=top, seconds={"x": np.nan}
            ),
            (1, 2),
        )
    [line] = read(path)
    assert line["timestamp"] is line["score"] is line["seconds"]["x"] is None
    assert line["top"][0]["score"] is None


@pytest.mark.parametrize("label", ['a "b"', "two\nlines", "für", "\u2028", "猫", "\ud800"])
def test_any_label_stays_on_one_line(tmp_path: Path, label: str) -> None:
    path = tmp_path / "log.jsonl"
    with PredictionLog(path) as log:
        log.write(tiger_cat(label=label), (1, 2))
    assert len(path.read_text("utf-8").splitlines()) == 1
    assert read(path)[0]["label"] == label


def test_an_existing_log_is_rejected_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("precious")
    with pytest.raises(UsageError, match="already exists; give `overwrite`"):
        PredictionLog(path)
    assert path.read_text() == "precious"


def test_with_overwrite_the_first_line_replaces_an_existing_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("old " * 1000)
    with PredictionLog(path, overwrite=True) as log:
        assert path.read_text() == "old " * 1000
        log.write(tiger_cat(), (1, 2))
    assert len(read(path)) == 1


def test_an_empty_log_leaves_no_file(tmp_path: Path) -> None:
    with PredictionLog(tmp_path / "log.jsonl") as log:
        pass
    assert log.count == 0
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        PredictionLog(tmp_path / "nowhere" / "log.jsonl")


class SmallDisk(io.FileIO):
    """A file on a disk with room for a line and a half."""

    def write(self, data: Any) -> int:
        rest = 500 - self.tell()
        if rest <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:rest])


def test_a_full_disk_is_reported_and_complete_lines_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", SmallDisk)
    path = tmp_path / "log.jsonl"
    with PredictionLog(path) as log:
        log.write(tiger_cat(1), (1, 2))
        with pytest.raises(RecordingError, match="the disk is full; free some space"):
            log.write(tiger_cat(2), (1, 2))
    assert [line["frame"] for line in read(path)] == [1]
    assert log.count == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_from_the_start() -> None:
    with (
        PredictionLog(Path("/dev/full"), overwrite=True) as log,
        pytest.raises(RecordingError, match="the disk is full"),
    ):
        log.write(tiger_cat(), (1, 2))


def test_writing_after_closing_is_rejected(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log.jsonl")
    log.close()
    log.close()
    with pytest.raises(ValueError, match="is closed"):
        log.write(tiger_cat(), (1, 2))
