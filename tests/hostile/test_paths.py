"""Unusual file names, wherever a file can be named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from live_cam.runtime.opencv import cv2
from tests.support import tiny
from tests.support.clips import write_clip
from tests.support.networks import randomised
from tests.support.program import called, read_log, read_video

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


def call(*words: str) -> subprocess.CompletedProcess[str]:
    with tiny.registered():
        return called(*words)


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
def test_any_file_name_works_everywhere(folder: Path, name: str) -> None:
    make_files(name)
    network = (*NETWORK, f"--weights={name}.pth", f"--labels={name}.txt")
    live = ("run", "--headless", "--every-frame", "--engine", "hook", f"--source={name}.mkv")
    evaluate = ("evaluate", "--steps=1", "--method=gradcam")
    outputs = (f"--record={name}.mp4", f"--predictions={name}.jsonl")
    done = [
        call(*live, *outputs, *network),
        call(*live[:-1], f"--source={name}.png", *network),
        call("video", *network, "--", f"{name}.mkv", f"{name}.2.mkv"),
        call("image", "--json", *network, f"--output={name}.d", "--", f"{name}.png"),
        call(*live[:-1], f"--source=./{name}.d/", *network),
        call(*evaluate, f"--json={name}.json", *network, "--", f"{name}.d"),
    ]
    for process in done:
        assert "Traceback" not in process.stderr
        assert process.returncode == 0, process.stderr
    assert len(read_log(folder / f"{name}.jsonl")) == 3
    files = {path.name for path in folder.iterdir()}
    endings = (".d", ".mkv", ".2.mkv", ".mp4", ".png", ".jsonl", ".json", ".pth", ".txt")
    assert files == {f"{name}{ending}" for ending in endings}, "no file under another name"
    images = {path.name for path in Path(f"{name}.d").iterdir()}
    assert images == {f"{name}.png", f"{name}.cam.jpg", f"{name}.json"}
    written = json.loads((Path(f"{name}.d") / f"{name}.json").read_text(encoding="utf-8"))
    assert Path(written["file"]).name == f"{name}.png"
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
def test_impossible_file_names_are_rejected(
    folder: Path, words: tuple[str, ...], name: str
) -> None:
    (folder / "picture.png").write_bytes(b"")
    done = call(*(word.replace("{}", name) for word in words))
    *usage, sentence = done.stderr.strip().splitlines()
    assert done.returncode == 2, sentence
    assert not any("Traceback" in line for line in usage)
    assert len(sentence) < 500 + len(name)


def test_a_tilde_means_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    make_files("home/a")
    network = (*NETWORK, "--weights=~/a.pth", "--labels=~/a.txt")
    live = ("run", "--headless", "--every-frame", "--engine", "hook", "--source=~/a.mkv")
    done = [
        call(*live, "--record=~/b.mp4", "--predictions=~/b.jsonl", *network),
        call("video", "~/a.mkv", "~/c.mkv", *network),
        call("image", "~/a.png", "--output=~/d", *network),
    ]
    assert [process.returncode for process in done] == [0, 0, 0], done
    files = {path.name for path in (folder / "home").iterdir()}
    assert {"b.mp4", "b.jsonl", "c.mkv", "d"} <= files
    assert not (folder / "~").exists()
