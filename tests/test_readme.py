from __future__ import annotations

from pathlib import Path

from live_cam.actions import KEY_HELP

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_that_of_the_program() -> None:
    table = [line for line in README.splitlines() if line.startswith("| ")][2:]
    assert table == [f"| {key} | {meaning} |" for key, meaning in KEY_HELP]


def test_it_opens_with_a_picture() -> None:
    picture = README.partition("](")[2].partition(")")[0]
    assert README.startswith("![")
    assert (Path(__file__).parent.parent / picture).stat().st_size > 10_000
