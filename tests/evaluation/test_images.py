from __future__ import annotations

from pathlib import Path

import pytest

from live_cam.errors import UsageError
from live_cam.evaluation.images import (
    LabelledImage,
    find_labelled_images,
    find_true_classes,
    read_truth,
)

LABELS = ("tabby", "Egyptian cat", "bullet train", "crane", "crane")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three classes and an image without one."""
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


def truths(folder: Path, images: list[LabelledImage]) -> dict[str, str | None]:
    return {image.path.relative_to(folder).as_posix(): image.truth for image in images}


def ignore(_text: str) -> None:
    pass


def test_folder_names_are_the_classes_of_their_images(folder: Path) -> None:
    images = find_labelled_images(folder)
    assert truths(folder, images) == {
        "loose.png": None,
        "0/a.jpg": "0",
        "bullet train/b.JPEG": "bullet train",
        "Egyptian_cat/2.jpg": "Egyptian_cat",
        "Egyptian_cat/10.jpg": "Egyptian_cat",
    }
    cats = [image.path.name for image in images if image.truth == "Egyptian_cat"]
    assert cats == ["2.jpg", "10.jpg"], "2 comes before 10"
    classes = find_true_classes(images, LABELS, ignore)
    assert {image.truth: index for image, index in zip(images, classes, strict=True)} == {
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
def test_a_truth_file_lists_the_classes_of_images(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8-sig")
    images = find_labelled_images(folder, folder / name)
    assert {file: truth for file, truth in truths(folder, images).items() if truth} == {
        "loose.png": "tabby",
        "0/a.jpg": "2",
    }
    assert set(find_true_classes(images, LABELS, ignore)) == {None, 0, 2}


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("truth.csv", "loose.png\n", "line 1 has no class"),
        ("truth.json", '["loose.png"]', "not a JSON object"),
        ("truth.json", '{"loose.png": ["tabby"]}', "neither a name nor a number"),
        ("truth.json", "{", "truth.json does not list the classes"),
    ],
)
def test_a_malformed_truth_file_is_rejected(
    tmp_path: Path, name: str, text: str, part: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=part):
        read_truth(tmp_path / name)


def test_a_truth_file_that_is_no_text_or_missing_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match=r"truth\.csv are not UTF-8 text"):
        read_truth(tmp_path / "truth.csv")
    with pytest.raises(UsageError, match=r"cannot read .*nowhere\.csv"):
        read_truth(tmp_path / "nowhere.csv")


def test_a_truth_file_of_other_images_is_rejected(folder: Path) -> None:
    (folder / "truth.csv").write_text("photos/loose.png,tabby\n")
    with pytest.raises(UsageError, match=r"none of the 5 images .* such as loose\.png"):
        find_labelled_images(folder, folder / "truth.csv")


def test_a_folder_without_images_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "tabby").mkdir()
    with pytest.raises(UsageError, match="no image in the folder"):
        find_labelled_images(tmp_path)
    with pytest.raises(UsageError, match="cannot read the folder"):
        find_labelled_images(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", r"only a part of 'bullet train' \(2\)"),
        ("crane", r"'crane' \(3\), 'crane' \(4\)"),
        ("Egyptian cot", "did you mean"),
        ("5", "there is no class 5"),
    ],
)
def test_an_unknown_class_is_rejected(name: str, part: str) -> None:
    images = [LabelledImage(Path("a.jpg"), name), LabelledImage(Path("b.jpg"), "tabby")]
    with pytest.raises(UsageError, match=part):
        find_true_classes(images, LABELS, ignore)


def test_a_label_may_be_a_number() -> None:
    labels = ("0", "1", "10", "2")
    images = [LabelledImage(Path("a.jpg"), "10"), LabelledImage(Path("b.jpg"), "3")]
    assert find_true_classes(images, labels, ignore) == [2, 3]


def test_unknown_names_one_per_class_are_taken_in_alphabetical_order() -> None:
    messages: list[str] = []
    images = [LabelledImage(Path("a.jpg"), name) for name in ("n03", "n01", "n02", "n01")]
    labels = ("class 0", "class 1", "class 2")
    assert find_true_classes(images, labels, messages.append) == [2, 0, 1, 0]
    assert "alphabetical" in messages[0]
    with pytest.raises(UsageError, match="n01"):
        find_true_classes(images[1:], labels, messages.append)
