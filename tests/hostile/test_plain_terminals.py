"""Terminals without UTF-8: all output is legible, and nothing raises an exception."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from live_cam.cli import cli, exit_code
from live_cam.cli.printing import legible
from live_cam.runtime.opencv import cv2
from tests.support import tiny
from tests.support.clips import write_clip
from tests.support.networks import randomised
from tests.support.program import TIME_LIMIT, command, environment

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}
ESCAPE = re.compile(r"\\u[0-9a-f]{4}|\\x[0-9a-f]{2}")


@given(text=st.text(), encoding=st.sampled_from(["ascii", "latin-1", "cp437", "koi8-r", "gbk"]))
@example("4 × 3 … → “über” 写真", "ascii")
def test_any_text_is_legible_in_any_encoding(text: str, encoding: str) -> None:
    shown = legible(text, encoding)
    shown.encode(encoding)
    assert legible(shown, encoding) == shown


def test_symbols_are_replaced_and_letters_escaped() -> None:
    text = "4×3 – drop ↓ → “über”…"
    assert legible(text, "utf-8") == text
    assert legible(text, "latin-1") == '4×3 - drop v -> "über"...'
    assert legible(text, "ascii") == r'4x3 - drop v -> "\xfcber"...'
    assert legible(text, None) == legible(text, "no such encoding") == legible(text, "ascii")


@pytest.fixture(scope="module")
def given_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    cv2.imwrite(str(folder / "pictures" / "a.png"), noise)
    cv2.imwrite(str(folder / "pictures" / "b.png"), noise[::-1])
    write_clip(folder / "clip.mkv", [np.roll(noise, n, 1) for n in range(4)])
    torch.save(randomised(tiny.tiny(num_classes=2)).state_dict(), folder / "tiny.pth")
    (folder / "labels.txt").write_text("Straßenbahn\n写真\n", encoding="utf-8")
    return folder


NETWORK = ("--model", tiny.NAME, "--weights", "tiny.pth", "--labels", "labels.txt")
COMMANDS = {
    "image": ("image", "pictures", "--output", "out", "--overwrite", *NETWORK),
    "evaluate": ("evaluate", "pictures", "--steps", "1", "--method", "gradcam", *NETWORK),
    "video": ("video", "clip.mkv", "out.mp4", "--overwrite", *NETWORK),
    "run": ("run", "--headless", "-s", "clip.mkv", "--every-frame", "--engine", "hook", *NETWORK),
    "wrong": ("run", "--headless", "--source", "Café…→写真.mp4"),
    "doctor": ("doctor",),
} | {f"{name} --help": (name, "--help") for name in ("", *cli.commands)}
PRINTED = {"image": " -> out", "evaluate": "drop v", "run": "64x48", "wrong": "live-cam doctor"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_legible(
    given_files: Path, monkeypatch: pytest.MonkeyPatch, name: str, encoding: str
) -> None:
    monkeypatch.chdir(given_files)
    monkeypatch.setattr(sys, "argv", ["live-cam", *filter(None, COMMANDS[name])])
    monkeypatch.setattr(logging.getLogger("live_cam"), "handlers", [])
    written = io.BytesIO()
    for stream in ("stdout", "stderr"):
        terminal = io.TextIOWrapper(written, encoding=encoding, write_through=True)
        monkeypatch.setattr(sys, stream, terminal)
    with tiny.registered():
        code = exit_code(threading.Event())
    assert code == (2 if name == "wrong" else 0), written.getvalue()
    text = written.getvalue().decode(encoding)
    expected = PRINTED.get(name, "").replace("64x48", "64×48" if encoding == "latin-1" else "64x48")
    assert expected in text
    assert "Traceback" not in text
    foreign = ("image", "wrong", "run", "video")  # commands that print names in other alphabets
    assert name in foreign or not ESCAPE.search(text), text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_dumb_terminal_receives_no_escape_sequences(given_files: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    weights = ("--model", "efficientnet_lite0", "--output", "dumb")
    process = subprocess.Popen(
        command("image", "pictures", *weights),
        cwd=given_files,
        stdout=theirs,
        stderr=theirs,
        env=environment(**PLAIN, PYTHONIOENCODING="ascii"),
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        text += data
        if not data:
            break
    os.close(ours)
    assert process.wait(TIME_LIMIT) == 0, text
    assert b"\x1b" not in text
    assert b" -> dumb" in text
    text.decode("ascii")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("words", [("doctor",), ("--help",), ("run", "--help")], ids=" ".join)
def test_a_closed_pipe_ends_the_program_quietly(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen(
        command(*words), stdout=writing, stderr=subprocess.PIPE, env=environment(), text=True
    )
    os.close(writing)
    _, errors = process.communicate(timeout=TIME_LIMIT)
    assert (process.returncode, errors) == (1, "")
