from __future__ import annotations

import json
from pathlib import Path

import pytest

from live_cam.errors import UsageError
from live_cam.labels import find_class, load_labels

LABELS = ("tench", "tabby", "tiger cat", "Egyptian cat", "crane", "espresso", "crane")


class TestFindClass:
    @pytest.mark.parametrize(
        ("wanted", "index"),
        [("tabby", 1), ("TABBY", 1), (" espresso ", 5), ("egypt", 3), ("0", 0), ("6", 6)],
    )
    def test_a_class_is_found_by_index_name_or_unique_part(self, wanted: str, index: int) -> None:
        assert find_class(LABELS, wanted) == index

    def test_a_whole_name_takes_precedence_over_a_part(self) -> None:
        assert find_class(("tiger cat", "tiger"), "tiger") == 1

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ("cat", r"'tiger cat' \(2\), 'Egyptian cat' \(3\)"),
            ("crane", r"'crane' \(4\), 'crane' \(6\)"),
            ("7", "0 to 6"),
            ("expresso", r"did you mean 'espresso' \(5\)"),
            ("zzz", "none of this network's 7 classes"),
            ("", "none of"),
        ],
    )
    def test_missing_and_ambiguous_classes_are_rejected_with_candidates(
        self, wanted: str, message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            find_class(LABELS, wanted)

    def test_a_long_list_of_candidates_is_shortened(self) -> None:
        with pytest.raises(UsageError, match="and 88 more"):
            find_class([f"class {index}" for index in range(100)], "class")


class TestLoadLabels:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.txt", "cat\ndog\nhen"),
            ("a.txt", "\ufeffcat\r\n dog \r\nhen\r\n\r\n"),
            ("a.json", json.dumps(["cat", "dog", "hen"])),
            ("a.json", json.dumps({"2": "hen", "0": "cat", "1": "dog"})),
            ("a.json", json.dumps({"0": ["n01", "cat"], "1": ["n02", "dog"], "2": ["n3", "hen"]})),
        ],
    )
    def test_text_and_json_formats_are_read(self, tmp_path: Path, name: str, content: str) -> None:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        assert load_labels(path) == ("cat", "dog", "hen")

    @pytest.mark.parametrize(
        "content", ['{"0": "cat", "2": "dog"}', "[1, 2]", "{", "3", '{"a": "b"}']
    )
    def test_json_without_a_list_of_names_is_rejected(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(content)
        with pytest.raises(UsageError, match="not a JSON list of names"):
            load_labels(path)

    def test_missing_empty_and_binary_files_are_rejected(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot read"):
            load_labels(tmp_path / "absent.txt")
        (tmp_path / "empty.txt").write_text("\n\n")
        with pytest.raises(UsageError, match="empty"):
            load_labels(tmp_path / "empty.txt")
        (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
        with pytest.raises(UsageError, match="UTF-8"):
            load_labels(tmp_path / "binary.txt")
