from __future__ import annotations

from pathlib import Path

import pytest

from live_cam.errors import UsageError
from live_cam.evaluation.images import (
    Named,
    find_classes_shown,
    find_named_images,
    read_truth,
)

LABELS = ("tabby", "Egyptian cat", "bullet train", "crane", "crane")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three classes and an image that nothing is said of."""
    files = (
        "loose.png",
        "Egyptian_cat/2.jpg",
        "Egyptian_cat/10.jpg",
        "Egyptian_cat/2.cam.jpg",
        "Egyptian_cat/notes.txt",
        "0/a.jpg",
        "bullet train/b.JPEG",
        ".hidden/c.jpg",
        "nothing/readme.txt",
    )
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, named: list[Named]) -> dict[str, str | None]:
    return {each.path.relative_to(folder).as_posix(): each.shows for each in named}


def ignore(_text: str) -> None:
    pass


def test_folders_are_named_by_what_their_images_show(folder: Path) -> None:
    named = find_named_images(folder)
    assert names(folder, named) == {
        "loose.png": None,
        "0/a.jpg": "0",
        "bullet train/b.JPEG": "bullet train",
        "Egyptian_cat/2.jpg": "Egyptian_cat",
        "Egyptian_cat/10.jpg": "Egyptian_cat",
    }
    cats = [each.path.name for each in named if each.shows == "Egyptian_cat"]
    assert cats == ["2.jpg", "10.jpg"], "2 comes before 10"
    classes = find_classes_shown(named, LABELS, ignore)
    assert {each.shows: index for each, index in zip(named, classes, strict=True)} == {
        None: None,
        "0": 0,
        "bullet train": 2,
        "Egyptian_cat": 1,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("truth.csv", "file,class\nloose.png,tabby\n\n 0/a.jpg , 2\nelsewhere.jpg,7\n"),
        ("truth.json", '{"loose.png": "tabby", "0/a.jpg": 2, "elsewhere.jpg": "7"}'),
    ],
)
def test_a_list_says_what_images_show(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8-sig")
    named = find_named_images(folder, folder / name)
    assert {file: shows for file, shows in names(folder, named).items() if shows} == {
        "loose.png": "tabby",
        "0/a.jpg": "2",
    }
    assert set(find_classes_shown(named, LABELS, ignore)) == {None, 0, 2}


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("truth.csv", "loose.png\n", "line 1 has no class"),
        ("truth.json", '["loose.png"]', "no JSON object"),
        ("truth.json", '{"loose.png": ["tabby"]}', "neither a name nor a number"),
        ("truth.json", "{", "truth.json does not say"),
    ],
)
def test_a_list_that_says_nothing_is_refused(
    tmp_path: Path, name: str, text: str, part: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=part):
        read_truth(tmp_path / name)


def test_bytes_are_no_list(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match=r"truth\.csv are not UTF-8 text"):
        read_truth(tmp_path / "truth.csv")
    with pytest.raises(UsageError, match=r"cannot read .*nowhere\.csv"):
        read_truth(tmp_path / "nowhere.csv")


def test_a_list_of_other_images_is_a_mistake(folder: Path) -> None:
    (folder / "truth.csv").write_text("photos/loose.png,tabby\n")
    with pytest.raises(UsageError, match=r"none of the 5 images .* such as loose\.png"):
        find_named_images(folder, folder / "truth.csv")


def test_a_folder_without_images_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "tabby").mkdir()
    with pytest.raises(UsageError, match="no image in the folder"):
        find_named_images(tmp_path)
    with pytest.raises(UsageError, match="cannot read the folder"):
        find_named_images(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", r"only a part of 'bullet train' \(2\)"),
        ("crane", r"'crane' \(3\), 'crane' \(4\)"),
        ("Egyptian cot", "did you mean"),
        ("5", "there is no class 5"),
    ],
)
def test_what_is_no_class_is_a_mistake(name: str, part: str) -> None:
    named = [Named(Path("a.jpg"), name), Named(Path("b.jpg"), "tabby")]
    with pytest.raises(UsageError, match=part):
        find_classes_shown(named, LABELS, ignore)


def test_a_label_may_be_a_number() -> None:
    labels = ("0", "1", "10", "2")
    named = [Named(Path("a.jpg"), "10"), Named(Path("b.jpg"), "3")]
    assert find_classes_shown(named, labels, ignore) == [2, 3]


def test_one_unknown_name_for_each_class_is_torchvisions_order() -> None:
    said: list[str] = []
    named = [Named(Path("a.jpg"), name) for name in ("n03", "n01", "n02", "n01")]
    labels = ("class 0", "class 1", "class 2")
    assert find_classes_shown(named, labels, said.append) == [2, 0, 1, 0]
    assert "alphabetical" in said[0]
    with pytest.raises(UsageError, match="n01"):
        find_classes_shown(named[1:], labels, said.append)
