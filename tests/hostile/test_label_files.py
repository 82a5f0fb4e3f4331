"""Untrusted label files: labels that can be shown and printed anywhere, or one sentence."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from live_cam.errors import UsageError
from live_cam.labels import find_class, load_labels, matching_classes
from live_cam.overlay.text import shorten, text_mask, text_width
from tests.support.limited import opened
from tests.support.sentences import Rejected, attempt

OVERRIDE, ISOLATE, POP = "\u202e", "\u2067", "\u202c"
NAME = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=30)
BYTES = st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode), st.just(b""))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def read(folder: Path, data: bytes, ending: str = "txt") -> tuple[str, ...]:
    path = folder / f"labels.{ending}"
    path.write_bytes(data)
    return load_labels(path)


def assert_fit_to_print(labels: tuple[str, ...]) -> None:
    assert labels
    for label in labels:
        assert label == label.strip()
        assert 0 < len(label) <= 1000
        assert len(label.splitlines()) == 1
        kinds = {unicodedata.category(c) for c in label if c not in "\u200c\u200d"}
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(data=BYTES, ending=st.sampled_from(["txt", "json"]))
@example(b"\xef\xbb\xbf", "txt")
@example(b'["\\ud800"]', "json")
@example(b'{"0": "a", "00": "b"}', "json")
@example(b'{"' + b"9" * 5000 + b'": "a"}', "json")
def test_any_bytes_are_labels_or_rejected(tmp_path: Path, data: bytes, ending: str) -> None:
    labels = attempt(lambda: read(tmp_path, data, ending))
    if isinstance(labels, Rejected):
        assert f"labels.{ending}" in labels
    else:
        assert_fit_to_print(labels)


@given(content=JSON)
def test_any_json_is_labels_or_rejected(tmp_path: Path, content: object) -> None:
    labels = attempt(lambda: read(tmp_path, json.dumps(content).encode(), "json"))
    if not isinstance(labels, Rejected):
        assert_fit_to_print(labels)


@given(names=st.lists(NAME, min_size=1))
def test_labels_are_kept_unchanged(tmp_path: Path, names: list[str]) -> None:
    assert read(tmp_path, "\r\n".join(names).encode()) == tuple(names)
    assert read(tmp_path, json.dumps(names).encode(), "json") == tuple(names)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"cat{OVERRIDE}god{POP}", "catgod"),
        (f"{ISOLATE}dog", "dog"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("tench\t  n01440764\u2028", "tench n01440764"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("\u200b", "class 1"),
        ("", "class 1"),
    ],
)
def test_invisible_characters_are_removed(tmp_path: Path, written: str, shown: str) -> None:
    assert read(tmp_path, f"a\n{written}\nb".encode()) == ("a", shown, "b")


@pytest.mark.parametrize("control", ["\0", "\x1b[2J", "\x07", "\x9b", "\x7f"])
def test_control_characters_are_rejected_with_their_position(tmp_path: Path, control: str) -> None:
    with pytest.raises(UsageError, match=rf"class 1 in .* U\+{ord(control[0]):04X}"):
        read(tmp_path, f"cat\nd{control}og\n".encode())
    with pytest.raises(UsageError, match=rf"U\+{ord(control[0]):04X}"):
        read(tmp_path, json.dumps(["cat", f"d{control}og"]).encode(), "json")


def test_only_line_breaks_separate_labels(tmp_path: Path) -> None:
    assert read(tmp_path, "a\x0bb\x1cc\u2028d\r\ne\rf\n\n".encode()) == ("a b c d", "e", "f")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_large_and_deep_files_are_rejected_in_little_memory(tmp_path: Path) -> None:
    files: dict[str, Callable[[], bytes]] = {
        "a-line-of-10-MB.txt": lambda: b"x" * (10 << 20),
        "a-line-of-7-MB.txt": lambda: b"x" * (7 << 20),
        "deep.json": lambda: b"[" * (4 << 20),
        "deep-and-closed.json": lambda: b"[" * 10**6 + b"]" * 10**6,
        "deep-maps.json": lambda: b'{"0":' * 10**6,
        "lists-and-lists.json": lambda: b"[" + b"[]," * (2 << 20) + b"[]]",
        "a-number-of-a-million-digits.json": lambda: b'{"' + b"1" * 10**6 + b'": "a"}',
        "invalid.txt": lambda: b"\xff" * (1 << 20),
    }
    for name, make in files.items():
        (tmp_path / name).write_bytes(make())
    (tmp_path / "endless.txt").symlink_to("/dev/zero")
    (tmp_path / "a-tebibyte.txt").touch()
    os.truncate(tmp_path / "a-tebibyte.txt", 1 << 40)

    outcomes = opened("labels", sorted(tmp_path.iterdir()), megabytes=600)

    assert not any(outcome.read for outcome in outcomes.values())
    assert "larger than 8 MB" in outcomes["a-line-of-10-MB.txt"].text
    assert "7340032 characters long" in outcomes["a-line-of-7-MB.txt"].text
    assert "not a JSON list of names" in outcomes["deep.json"].text
    assert "UTF-8" in outcomes["invalid.txt"].text
    assert max(outcome.megabytes for outcome in outcomes.values()) < 400


@given(labels=st.lists(NAME, min_size=1, max_size=6), typed=st.text(max_size=20))
@example(["a"], "9" * 5000)
@example(["a"], "0" * 5000)
@example(["ß"], "SS")
def test_any_typed_text_finds_a_class_or_is_rejected(labels: list[str], typed: str) -> None:
    assert set(matching_classes(labels, typed)) <= set(range(len(labels)))
    index = attempt(lambda: find_class(labels, typed))
    assert isinstance(index, Rejected) or 0 <= index < len(labels)


@given(text=st.text(max_size=40), size=st.integers(8, 40), width=st.integers(0, 300))
@example(f"{OVERRIDE}\ud800\0\x1b[2J", 12, 50)
@example("e" + "\u0301" * 500, 12, 50)
@example("\U000e0041\U0001f468\u200d\U0001f469", 12, 50)
def test_any_text_can_be_drawn(text: str, size: int, width: int) -> None:
    fitting = shorten(text, size, width)
    assert text_width(fitting, size) <= width or not fitting
    mask = text_mask(fitting, size)
    assert mask.coverage.shape[0] == round(1.5 * size)
