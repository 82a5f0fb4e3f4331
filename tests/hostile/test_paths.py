"""Names of files as people and other programs make them, wherever a file can be named."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from live_cam.cli import exit_code
from live_cam.opencv import cv2
from tests.hostile import tiny
from tests.networks import randomised
from tests.program import read_log, read_video
from tests.transcode.clips import write_clip

NAMES = {
    "spaces": " two  words ",
    "nfc": unicodedata.normalize("NFC", "Überführung"),
    "nfd": unicodedata.normalize("NFD", "Überführung"),
    "emoji": "🎥👨‍👩‍👧",
    "right to left": "שלום\u202egpj",
    "quotes": 'it\'s "so" `called` $HOME',
    "dash": "-x",
    "two dashes": "--record",
    "newline": "two\nlines",
    "long": "n" * 225,
    "tilde": "~",
    "no user": "~nobody-of-that-name",
    "no utf-8": os.fsdecode(b"\xff\xfe\x80"),
    "counter": "frame%03d",
    "pattern": "[1]*?",
    "protocol": "http:clip",
    "pipe": "pipe:0",
    "clock": "12:30:00",
    "comma": "a,b;c=d&e",
    "dots": "a..b.",
}
NETWORK = ("--model", tiny.NAME)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["live-cam", *words])
    monkeypatch.setattr(logging.getLogger("live_cam"), "handlers", [])
    with tiny.registered():
        return exit_code(threading.Event())


def make_files(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    write_clip(Path("clip.mkv"), [np.roll(noise, n, 1) for n in range(3)]).rename(f"{name}.mkv")
    cv2.imwrite("picture.png", noise)
    Path(f"{name}.d").mkdir()
    Path("picture.png").rename(f"{name}.png")
    (Path(f"{name}.d") / Path(f"{name}.png").name).write_bytes(Path(f"{name}.png").read_bytes())
    torch.save(randomised(tiny.tiny(num_classes=2)).state_dict(), "w.pth")
    Path("w.pth").rename(f"{name}.pth")
    Path(f"{name}.txt").write_text("cat\ndog\n")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_names_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make_files(name)
    network = (*NETWORK, f"--weights={name}.pth", f"--labels={name}.txt")
    live = ("run", "--headless", "--every-frame", "--engine", "hook", f"--source={name}.mkv")
    evaluate = ("evaluate", "--steps=1", "--method=gradcam")
    written = (f"--record={name}.mp4", f"--predictions={name}.jsonl")
    codes = [
        call(monkeypatch, *live, *written, *network),
        call(monkeypatch, *live[:-1], f"--source={name}.png", *network),
        call(monkeypatch, "video", *network, "--", f"{name}.mkv", f"{name}.2.mkv"),
        call(monkeypatch, "image", "--json", *network, f"--output={name}.d", "--", f"{name}.png"),
        call(monkeypatch, *live[:-1], f"--source=./{name}.d/", *network),
        call(monkeypatch, *evaluate, f"--json={name}.json", *network, "--", f"{name}.d"),
    ]
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert codes == [0] * len(codes), said.err
    assert len(read_log(folder / f"{name}.jsonl")) == 3
    found = {path.name for path in folder.iterdir()}
    endings = (".d", ".mkv", ".2.mkv", ".mp4", ".png", ".jsonl", ".json", ".pth", ".txt")
    assert found == {f"{name}{ending}" for ending in endings}, "nothing under any other name"
    pictures = {path.name for path in Path(f"{name}.d").iterdir()}
    assert pictures == {f"{name}.png", f"{name}.cam.jpg", f"{name}.json"}
    told = json.loads((Path(f"{name}.d") / f"{name}.json").read_text(encoding="utf-8"))
    assert Path(told["file"]).name == f"{name}.png"
    for ending in (".mp4", ".2.mkv"):
        Path(f"{name}{ending}").rename("seen")
        assert len(read_video(Path("seen"))) == 3


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--headless", "--source={}"),
        ("run", "--headless", "--source=demo", "--record={}.mp4"),
        ("run", "--headless", "--source=demo", "--predictions={}"),
        ("run", "--headless", "--source=demo", "--weights={}"),
        ("run", "--headless", "--source=demo", "--labels={}"),
        ("image", "{}"),
        ("image", "picture.png", "--output={}"),
        ("video", "{}", "out.mp4"),
        ("video", "picture.png", "{}.mp4"),
        ("evaluate", "{}"),
        ("evaluate", ".", "--json={}"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["n" * 300, "n/" * 3000], ids=["long", "deep"])
def test_names_that_no_file_can_have_are_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    name: str,
) -> None:
    (folder / "picture.png").write_bytes(b"")
    code = call(monkeypatch, *(word.replace("{}", name) for word in words))
    *usage, sentence = capsys.readouterr().err.strip().splitlines()
    assert code == 2, sentence
    assert not any("Traceback" in line for line in usage)
    assert len(sentence) < 500 + len(name)


def test_the_home_folder_is_meant_by_a_tilde(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    make_files("home/a")
    network = (*NETWORK, "--weights=~/a.pth", "--labels=~/a.txt")
    live = ("run", "--headless", "--every-frame", "--engine", "hook", "--source=~/a.mkv")
    codes = [
        call(monkeypatch, *live, "--record=~/b.mp4", "--predictions=~/b.jsonl", *network),
        call(monkeypatch, "video", "~/a.mkv", "~/c.mkv", *network),
        call(monkeypatch, "image", "~/a.png", "--output=~/d", *network),
    ]
    assert codes == [0, 0, 0], capsys.readouterr().err
    made = {path.name for path in (folder / "home").iterdir()}
    assert {"b.mp4", "b.jsonl", "c.mkv", "d"} <= made
    assert not (folder / "~").exists()
