from __future__ import annotations

from pathlib import Path

import pytest

from live_cam.capture.image_paths import find_images
from live_cam.errors import UsageError
from live_cam.record.still_names import is_output
from live_cam.stills.naming import check_free, class_parts, name_stills


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a10.jpg", "a2.PNG", "b.tif", "notes.txt", ".hidden.jpg", "deep/c.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names_of(*paths: Path | str) -> list[str]:
    return [path.name for path in find_images([str(path) for path in paths])]


def test_a_folder_yields_the_images_directly_in_it(folder: Path) -> None:
    assert names_of(folder) == ["a2.PNG", "a10.jpg", "b.tif"]


def test_a_pattern_can_match_nested_folders(folder: Path) -> None:
    assert names_of(f"{folder}/*.jpg") == ["a10.jpg"]
    assert names_of(f"{folder}/**/*.jpg") == ["a10.jpg", "c.jpg"]
    assert names_of(f"{folder}/a*") == ["a2.PNG", "a10.jpg"]


def test_a_named_file_is_taken_whatever_its_ending(folder: Path) -> None:
    (folder / "odd[1].xyz").touch()
    assert names_of(folder / "notes.txt", folder / "odd[1].xyz") == ["notes.txt", "odd[1].xyz"]


def test_each_image_is_taken_once_in_the_given_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert names_of("b.tif", folder, folder / "a2.PNG", "./b.tif") == ["b.tif", "a2.PNG", "a10.jpg"]


@pytest.mark.parametrize("given", ["nowhere.jpg", "nowhere/*.jpg", "deep/*.png", "a\0b"])
def test_a_missing_path_is_named_in_the_error(folder: Path, given: str) -> None:
    with pytest.raises(UsageError) as caught:
        names_of(f"{folder}/{given}")
    assert repr(given)[1:-1] in str(caught.value)


def test_an_empty_folder_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image in the folder") as caught:
        names_of(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.cam.jpg", True),
        ("a.espresso.CAM.JPG", True),
        ("a.panel.jpg", True),
        ("a.heatmap.png", True),
        ("a.guided.png", True),
        ("a.maps.gif", True),
        ("a.jpg", False),
        ("cam.jpg", False),
        ("a.heatmap.jpg", False),
    ],
)
def test_outputs_of_earlier_runs_are_recognised_by_name(name: str, expected: bool) -> None:
    assert is_output(Path(name)) == expected


def test_images_with_the_same_stem_get_different_names(tmp_path: Path) -> None:
    images = [tmp_path / name for name in ("a.jpg", "a.png", "A-2.jpg", "A.tif", "x/a.jpg")]
    assert [still.name for still in name_stills(images, None)] == ["a", "a-3", "A-2", "A-4", "a"]
    gathered = name_stills(images, tmp_path / "out")
    assert [still.name for still in gathered] == ["a", "a-3", "A-2", "A-4", "a-5"]
    files = [still.output(".cam.jpg") for still in gathered]
    assert len({str(path).casefold() for path in files}) == len(files)
    assert files[0] == tmp_path / "out" / "a.cam.jpg"


def test_each_of_several_classes_gets_a_part_of_the_name() -> None:
    labels = ("tabby", "crane", "jack-o'-lantern", "crane", "Egyptian cat", "猫", "?/..")
    assert class_parts(labels, ()) == [""]
    assert class_parts(labels, (2,)) == [""]
    assert class_parts(labels, (4, 1, 2)) == ["Egyptian-cat", "crane", "jack-o-lantern"]
    assert class_parts(labels, (1, 3, 5, 6)) == ["crane-1", "crane-3", "猫", "class"]


def test_existing_outputs_are_named_in_one_sentence(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(5)]
    check_free(files)
    files[3].touch()
    with pytest.raises(UsageError, match=r"3\.json already exists; give `overwrite`"):
        check_free(files)
    for path in files:
        path.touch()
    with pytest.raises(UsageError, match=r"0\.json, .*2\.json and 2 more already exist"):
        check_free(files)
