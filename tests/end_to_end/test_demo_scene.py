"""Real weights and real photos: `efficientnet_lite0` explains the demo in the whole program."""

from __future__ import annotations

from pathlib import Path

import pytest

from live_cam.capture import open_source
from live_cam.capture.demo import DemoScene
from tests.support.program import live_cam, read_log, read_video

NAMES = {
    "chelsea": {"tabby", "Egyptian cat", "tiger cat"},
    "coffee": {"espresso"},
    "motorcycle_left": {"moped"},
}
SECONDS = 20.0
MOMENT = 9
"""Frames: 0.3 s."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = live_cam(
        *("run", "--source", "demo", "--model", "efficientnet_lite0", "--headless"),
        # Converting the network for a faster engine would delay explanations for seconds.
        *("--engine", "hook"),
        *("--seconds", str(SECONDS), "--record", folder / "demo.mp4"),
        *("--predictions", folder / "demo.jsonl"),
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_photos_are_recognised_and_the_peak_is_on_their_subjects(outputs: Path) -> None:
    scene = open_source("demo")
    assert isinstance(scene, DemoScene)
    named: dict[str, list[bool]] = {}
    located: dict[str, list[bool]] = {}
    for entry in read_log(outputs / "demo.jsonl"):
        photo, (left, top, right, bottom) = scene.subject(entry["frame"])
        # After a cut the label may lag for a moment.
        settled = photo == scene.subject(max(0, entry["frame"] - MOMENT))[0]
        if photo in NAMES and settled:
            named.setdefault(photo, []).append(entry["label"] in NAMES[photo])
            x, y = entry["peak"]
            located.setdefault(photo, []).append(left <= x < right and top <= y < bottom)
    assert named.keys() == NAMES.keys(), "20 seconds show every photo"
    for photo in NAMES:
        assert sum(named[photo]) / len(named[photo]) > 0.8, (photo, named[photo])
        assert sum(located[photo]) / len(located[photo]) > 0.9, (photo, located[photo])


def test_the_recording_plays_at_real_speed(outputs: Path) -> None:
    video = read_video(outputs / "demo.mp4")
    assert video[0][1].shape == (720, 1280, 3)
    assert video[-1][0] == pytest.approx(SECONDS, abs=0.2)
    stamps = [stamp for stamp, _ in video]
    assert stamps == sorted(set(stamps))
    assert len(stamps) > SECONDS * 5, "even a busy machine shows several images a second"


def test_the_log_is_complete(outputs: Path) -> None:
    shown = None
    for entry in read_log(outputs / "demo.jsonl"):
        assert entry.keys() == {
            *("frame", "timestamp", "class_index", "label", "score", "top", "peak", "seconds")
        }
        scores = [prediction["score"] for prediction in entry["top"]]
        assert len(scores) == 5
        assert scores == sorted(scores, reverse=True)
        assert entry["label"] in (entry["top"][0]["label"], shown), "or the previous top class"
        shown = entry["label"]
        assert entry["seconds"].keys() >= {"preprocess", "explain", "total"}
        assert sum(entry["seconds"].values()) <= 2.001 * entry["seconds"]["total"]
