"""What strangers have named must not be able to turn a terminal over."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from live_cam.cli.printing import printable
from tests.support import bombs, tiny
from tests.support.media import RED, marked
from tests.support.networks import randomised
from tests.support.program import called

CLEAR = "\x1b[2J\x1b]0;title\x07"
OVERRIDE = "\u202e"
NAME = f"{CLEAR}{OVERRIDE}gpj.a"
TURNING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what is not shown, but obeyed."""


@given(text=st.text())
@example(NAME)
@example("\ud800\x9b31m\u2066\r\x08")
def test_any_text_is_shown_and_not_obeyed(text: str) -> None:
    shown = printable(text)
    kinds = {unicodedata.category(c) for c in shown if c not in "\n\u200c\u200d"}
    assert not kinds & TURNING
    shown.encode()
    assert printable(shown) == shown


def test_what_can_be_read_is_left_as_it_is() -> None:
    text = "4 frames, 1280×720 → “über”, 写真, שלום, می\u200cخواهم, 👨\u200d👩\n"
    assert printable(text) == text


def assert_tame(text: str) -> None:
    assert not {unicodedata.category(c) for c in text} & TURNING - {"Cc"}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text
    assert "Traceback" not in text


def printed(*arguments: object) -> tuple[int, str]:
    """The exit code of the command line, and all that it prints."""
    done = called(*arguments)
    return done.returncode, done.stdout + done.stderr


def test_names_of_files_and_tensors_in_what_is_printed(tmp_path: Path) -> None:
    folder = tmp_path / f"{NAME}s"
    folder.mkdir()
    (folder / f"1{NAME}.jpg").write_bytes(bombs.jpeg(marked(RED)))
    (folder / f"2{NAME}.jpg").write_text("broken")
    state = randomised(tiny.tiny(num_classes=2)).state_dict()
    sound, strange = tmp_path / f"sound{NAME}.pth", tmp_path / f"strange{NAME}.pth"
    torch.save(state, sound)
    torch.save(state | {f"layer{NAME}.weight": torch.zeros(1)}, strange)
    log = tmp_path / f"log{NAME}.json"
    run = ("run", "--headless", "--every-frame", "--engine", "hook", "--source", folder)
    network = ("--model", tiny.NAME, "--weights")

    with tiny.registered():
        read = printed(*run, *network, sound)
        refused = printed(*run, *network, strange)
        explained = printed("image", folder, *network, sound)
        there = printed("image", folder, *network, sound)
        measured = printed("evaluate", folder, *network, sound, "--steps", 1, "--json", log)
    mistaken = printed("run", f"--{NAME}")
    every = (read, refused, explained, there, measured, mistaken)

    assert [code for code, _ in every] == [0, 2, 1, 2, 1, 2]
    for _, text in every:
        assert_tame(text)
        assert r"\x1b[2J\x1b]0;title\x07\u202egpj.a" in text
    assert read[1].count("is skipped") == 1
    assert "1 unexpected" in refused[1]
