"""The images of a folder, and what they show: by their folders' names, or by a list."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, NamedTuple

from live_cam.capture.image_paths import list_images, natural_order
from live_cam.errors import UsageError, first_line, shortened
from live_cam.labels import find_class
from live_cam.record.still_names import is_output
from live_cam.runtime.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Named(NamedTuple):
    """An image, and what the user says that it shows."""

    path: Path
    shows: str | None
    """The name or index of a class; None: the user does not say."""


def find_named_images(folder: Path, truth: Path | None = None) -> list[Named]:
    """Find the images directly in a folder, and those in each folder in it.

    What an earlier run of `live-cam image` wrote is left out.

    Args:
        folder: The folder. Those in it are named by the class that their images show, as in
            torchvision's `ImageFolder`; they are not looked into any deeper.
        truth: What the images show instead, for `read_truth`; None: their folder's name, and
            nothing is said of those directly in `folder`.

    Raises:
        UsageError: There is no such folder or no image in it, or the truth cannot be read or
            says nothing of any image.
    """
    try:
        inner = sorted((each for each in folder.iterdir() if each.is_dir()), key=natural_order)
    except OSError as error:
        raise UsageError(
            f"cannot read the folder {folder}: {error.strerror or error}; give one with images."
        ) from error
    found = [Named(path, None) for path in _own_images(folder)]
    for each in inner:
        if each.name[0] != ".":
            found += [Named(path, each.name) for path in _own_images(each)]
    if not found:
        raise UsageError(
            f"there is no image in the folder {folder}; give a folder with images in it, or in "
            "one folder for each class."
        )
    if truth is None:
        return found
    shows = read_truth(truth)
    named = [Named(path, shows.get(path.relative_to(folder).as_posix())) for path, _ in found]
    if not any(image.shows for image in named):
        raise UsageError(
            f"{truth} names none of the {len(found)} images in {folder}; it must name them as "
            f"they lie in the folder, such as {found[0].path.relative_to(folder).as_posix()}."
        )
    return named


def _own_images(folder: Path) -> list[Path]:
    return [path for path in list_images(folder) if not is_output(path)]


def read_truth(path: Path) -> dict[str, str]:
    """Read what images show.

    Args:
        path: A CSV file with an image's name and its class in each line, or a `.json` file with
            an object of classes by the images' names. A class is given by its label or index.

    Returns:
        Each class as it is written, by the name of the image, relative to its folder. It may
        have a line with the columns' titles.

    Raises:
        UsageError: The file cannot be read, or is neither.
    """
    text = read_text(path, "classes of images in")
    try:
        return _parse_json(text) if path.suffix.lower() == ".json" else _parse_csv(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(
            f"{path} does not say what images show ({first_line(error)}); write lines such as "
            'cat/1.jpg,tabby in a .csv file, or {"cat/1.jpg": "tabby"} in a .json file.'
        ) from error


def _parse_json(text: str) -> dict[str, str]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004
    if not all(isinstance(each, str | int) for each in content.values()):
        raise ValueError("a class is neither a name nor a number")
    return {name: str(each) for name, each in content.items()}


def _parse_csv(text: str) -> dict[str, str]:
    found = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if row:
            if len(row) < 2:
                raise ValueError(f"line {number} has no class")
            found[row[0].strip()] = row[1].strip()
    return found


def find_classes_shown(
    named: Sequence[Named], labels: Sequence[str], notify: Callable[[str], None]
) -> list[int | None]:
    """Find which of a network's classes each image shows.

    Args:
        named: The images.
        labels: The names of the network's classes.
        notify: Called with if the names are taken for something else than labels.

    Returns:
        One for each image; None where the user does not say.

    Raises:
        UsageError: A name is no class of the network.
    """
    names = sorted({each.shows for each in named if each.shows is not None})
    meant = {name: _class_named(labels, name) for name in names}
    classes = {name: index for name, index in meant.items() if isinstance(index, int)}
    problems = [each for each in meant.values() if isinstance(each, UsageError)]
    if problems and not classes and len(names) == len(labels):
        notify(
            f"The names of the {len(names)} classes are none of the network's labels; they are "
            "taken for its classes in alphabetical order, as torchvision's ImageFolder does."
        )
        classes = {name: index for index, name in enumerate(names)}
    elif problems:
        raise UsageError(
            f"what an image shows must be a class of the network: {problems[0]}"
        ) from problems[0]
    return [None if each.shows is None else classes[each.shows] for each in named]


def _class_named(labels: Sequence[str], name: str) -> int | UsageError:
    """Find the class that a name means: a label, where `_` may stand for a space, or an index.

    A part of a label is not enough: folders called train or test are no classes.
    """
    wanted = (name.casefold(), name.casefold().replace("_", " "))
    same = [index for index, label in enumerate(labels) if label.casefold() in wanted]
    if len(same) == 1:  # a label may be a number, too
        return same[0]
    try:
        index = find_class(labels, labels[same[0]] if same else name)
    except UsageError as error:
        return error
    if name.isdecimal():
        return index
    return UsageError(
        f"{shortened(name)!r} is only a part of {shortened(labels[index])!r} ({index}); give the "
        "label in full, or its number."
    )
