"""Names from untrusted files must not be able to control a terminal."""

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
"""Unicode's categories of invisible control characters."""


@given(text=st.text())
@example(NAME)
@example("\ud800\x9b31m\u2066\r\x08")
def test_control_characters_are_printed_as_escapes(text: str) -> None:
    shown = printable(text)
    kinds = {unicodedata.category(c) for c in shown if c not in "\n\u200c\u200d"}
    assert not kinds & TURNING
    shown.encode()
    assert printable(shown) == shown


def test_printable_text_is_unchanged() -> None:
    text = "4 frames, 1280×720 → “über”, 写真, שלום, می\u200cخواهم, 👨\u200d👩\n"
    assert printable(text) == text


def assert_tame(text: str) -> None:
    assert not {unicodedata.category(c) for c in text} & TURNING - {"Cc"}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text
    assert "Traceback" not in text


def printed(*arguments: object) -> tuple[int, str]:
    """Return the exit code of a command line, and its output."""
    done = called(*arguments)
    return done.returncode, done.stdout + done.stderr


def test_names_of_files_and_tensors_are_printed_safely(tmp_path: Path) -> None:
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
        shown = printed(*run, *network, sound)
        rejected = printed(*run, *network, strange)
        explained = printed("image", folder, *network, sound)
        existing = printed("image", folder, *network, sound)
        measured = printed("evaluate", folder, *network, sound, "--steps", 1, "--json", log)
    unknown = printed("run", f"--{NAME}")
    outputs = (shown, rejected, explained, existing, measured, unknown)

    assert [code for code, _ in outputs] == [0, 2, 1, 2, 1, 2]
    for _, text in outputs:
        assert_tame(text)
        assert r"\x1b[2J\x1b]0;title\x07\u202egpj.a" in text
    assert shown[1].count("is skipped") == 1
    assert "1 unexpected" in rejected[1]
