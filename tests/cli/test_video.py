"""The options of `live-cam video`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest

from live_cam.cli.video import video
from live_cam.settings import VideoSettings


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    return tmp_path


def _parsed(*arguments: str) -> VideoSettings:
    context = video.make_context("video", ["clip.mp4", "out.mp4", *arguments])
    return VideoSettings(**context.params)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", "0"),
        ("90", "90"),
        ("90.5", "90.5"),
        ("0.1", "0.1"),
        (".25", "0.25"),
        ("1:30", "90"),
        ("01:02:03.456", "3723.456"),
        ("0:90", "90"),
        ("100:00:00", "360000"),
    ],
)
@pytest.mark.usefixtures("clip")
def test_times_are_exact(text: str, seconds: str) -> None:
    assert _parsed("--start", text).start == Fraction(seconds)
    assert _parsed("--end", text).end == Fraction(seconds)


@pytest.mark.parametrize("text", ["soon", "", "-1", "1:", ":1", "1:2:3:4", "1e3", "nan", "1,5"])
@pytest.mark.usefixtures("clip")
def test_an_invalid_time_is_rejected(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"seconds, such as 90\.5, or \[HH:\]MM:SS"):
        _parsed("--start", text)


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        ([], "audio", True),
        (["--no-audio"], "audio", False),
        ([], "start", None),
        ([], "smooth", 0.0),
        (["--smooth", "0.5"], "smooth", 0.5),
        (["--view", "grid"], "view", "grid"),
        (["--batch", "4"], "batch", 4),
        (["--class", "5", "--class", "tabby"], "target_classes", ("5", "tabby")),
        (["--layer", "features.34"], "layer", "features.34"),
    ],
)
@pytest.mark.usefixtures("clip")
def test_options_become_settings(arguments: list[str], field: str, value: Any) -> None:
    assert getattr(_parsed(*arguments), field) == value


@pytest.mark.parametrize(
    "arguments",
    [["--method", "scorecam"], ["--batch", "0"], ["--view", "inside"], ["--smooth", "-1"]],
    ids=" ".join,
)
@pytest.mark.usefixtures("clip")
def test_wrong_values_are_rejected(arguments: list[str]) -> None:
    with pytest.raises(click.BadParameter):
        _parsed(*arguments)


def test_both_files_are_required_and_the_input_must_exist(clip: Path) -> None:
    for arguments in ([], ["clip.mp4"]):
        with pytest.raises(click.MissingParameter):
            video.make_context("video", list(arguments))
    for name in ("nowhere.mp4", str(clip)):
        with pytest.raises(click.BadParameter):
            video.make_context("video", [name, "out.mp4"])
