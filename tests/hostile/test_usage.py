"""Wrong command lines: exit code 2 and one sentence with the remedy, before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from live_cam.cli import cli
from tests.support.program import environment
from tests.support.usage import (
    NEEDED,
    Mistake,
    Response,
    misspelt,
    mistakes,
    options,
    right_values,
    wrong_values,
)

CONFLICTS = [
    Mistake(["--every-frame"], ["--every-frame", "camera 0", "leave it out"]),
    Mistake(["--engine", "torch", "--precision", "int8"], ["int8", "--engine openvino"]),
    Mistake(["--engine", "hook", "--device", "npu"], ["npu", "--engine openvino"]),
    Mistake(["--headless", "--full-screen"], ["--headless", "--full-screen", "leave one out"]),
    Mistake(["--record", "a.mp4", "--predictions", "a.mp4"], ["--record", "--predictions", "own"]),
    Mistake(["--record", "file.mkv", "-s", "file.mkv"], ["file.mkv", "the source itself"]),
    Mistake(["--record", "file.mkv"], ["file.mkv", "--overwrite"]),
    Mistake(["--predictions", "file.mkv"], ["file.mkv", "--overwrite"]),
    Mistake(["--record", "out.gif"], ["out.gif", ".mp4"]),
    Mistake(["--source", "nowhere.mp4"], ["nowhere.mp4", "live-cam doctor"]),
    Mistake(["--source", "100"], ["100", "0 to 99"]),
    Mistake(["demo", "--headless", "--predictions", "file.mkv"], ["file.mkv", "--overwrite"]),
    Mistake(["video", "file.mkv", "file.mkv"], ["file.mkv", "the input video itself"]),
    Mistake(["video", "file.mkv", "image.mkv"], ["image.mkv", "--overwrite"]),
    Mistake(["video", "file.mkv", "o.avi"], ["o.avi", ".mkv"]),
    Mistake(["video", "file.mkv", "o.mp4", "--start", "9", "--end", "0:08"], ["--end 8", "later"]),
    Mistake(["evaluate", "folder", "--json", "file.mkv"], ["file.mkv", "--overwrite"]),
    Mistake(["vidoe"], ["vidoe", "Did you mean", "video"]),
    Mistake(["file.mkv"], ["file.mkv", "live-cam --source file.mkv"]),
    Mistake(["rtsp://camera/1"], ["live-cam --source rtsp://camera/1"]),
    Mistake(["0"], ["live-cam --source 0"]),
    Mistake(["--recrod", "a.mp4"], ["--recrod", "Did you mean", "--record"]),
    Mistake(["-z"], ["-z"]),
]
ALL = [*mistakes(), *misspelt(), *CONFLICTS]


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> list[Response]:
    """Run all of them in one process, which starts without torch."""
    folder = tmp_path_factory.mktemp("usage")
    for name in ("folder", "folder.mp4"):
        (folder / name).mkdir()
    for name in ("file.mkv", "image.mkv", "picture.png"):
        (folder / name).write_text("precious")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.usage"],
        input=json.dumps([mistake.arguments for mistake in ALL]),
        cwd=folder,
        env=environment(PYTHONPATH=str(Path(__file__).parents[2])),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert (folder / "file.mkv").read_text() == "precious"
    return [Response(*fields) for fields in json.loads(done.stdout)]


@pytest.mark.parametrize("index", range(len(ALL)), ids=[" ".join(each.arguments) for each in ALL])
def test_a_mistake_is_reported_in_one_sentence(index: int, responses: list[Response]) -> None:
    mistake, response = ALL[index], responses[index]
    assert response.code == 2, response.text
    *usage, sentence = response.text.strip().splitlines()
    assert all(line.startswith(("Usage:", "Try ")) or not line for line in usage), response.text
    assert sentence.startswith(("Error: ", "live-cam: "))
    assert len(sentence) < 400
    for part in mistake.parts:
        assert part in sentence
    assert not response.heavy, "mistakes are found before slow libraries are loaded"


def test_the_last_value_of_an_option_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.mkv").touch()
    for command, option, name in options():
        values = right_values(option.type)
        if values and not option.is_flag:
            words = [f"{name}={value}" for value in values]
            arguments = [*NEEDED.get(command, []), *words]
            chosen = cli.commands[command].make_context(command, arguments).params
            last = option.type.convert(values[-1], option, None)
            assert chosen[str(option.name)] in (last, values)  # some options are repeatable


def test_every_command_and_every_type_is_covered() -> None:
    assert {command for command, _, _ in options()} == set(cli.commands) - {"doctor"}
    for _, option, _ in options():
        if not option.is_flag:
            assert wrong_values(option.type)
