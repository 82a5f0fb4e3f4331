"""The images of a folder and their true classes, from folder names or a truth file."""

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


class LabelledImage(NamedTuple):
    """An image file and its true class."""

    path: Path
    truth: str | None
    """The label or index of a class, or None if unknown."""


def find_labelled_images(folder: Path, truth: Path | None = None) -> list[LabelledImage]:
    """Find the images in a folder and in its direct subfolders.

    Images written by an earlier run of `live-cam image` are left out.

    Args:
        folder: The folder. Its subfolders are named after the class of their images, as in
            torchvision's `ImageFolder`; deeper folders are ignored.
        truth: A file for `read_truth`, or None to take the subfolder's name as the class; the
            images directly in `folder` then have none.

    Raises:
        UsageError: The folder cannot be read or has no image, or the truth file cannot be read or
            names none of the images.
    """
    try:
        inner = sorted((path for path in folder.iterdir() if path.is_dir()), key=natural_order)
    except OSError as error:
        raise UsageError(
            f"cannot read the folder {folder}: {error.strerror or error}; give one with images."
        ) from error
    images = [LabelledImage(path, None) for path in _source_images(folder)]
    for subfolder in inner:
        if subfolder.name[0] != ".":
            images += [LabelledImage(path, subfolder.name) for path in _source_images(subfolder)]
    if not images:
        raise UsageError(
            f"there is no image in the folder {folder}; give a folder that contains images, "
            "directly or in a subfolder per class."
        )
    if truth is None:
        return images
    classes = read_truth(truth)
    names = [image.path.relative_to(folder).as_posix() for image in images]
    if not any(map(classes.get, names)):
        raise UsageError(
            f"{truth} names none of the {len(images)} images in {folder}; name them by their "
            f"paths within the folder, such as {names[0]}."
        )
    return [
        LabelledImage(image.path, classes.get(name))
        for image, name in zip(images, names, strict=True)
    ]


def _source_images(folder: Path) -> list[Path]:
    """Return the images of a folder without those written by an earlier run."""
    return [path for path in list_images(folder) if not is_output(path)]


def read_truth(path: Path) -> dict[str, str]:
    """Read the true classes of images.

    Args:
        path: A CSV file with an image's path and its class in each row, or a `.json` file with an
            object from paths to classes. A class is a label or an index.

    Returns:
        The class of each image as written, by the image's path relative to its folder. A header
        row of a CSV file is kept as an entry.

    Raises:
        UsageError: The file cannot be read or is neither.
    """
    text = read_text(path, "classes of images in")
    try:
        return _parse_json(text) if path.suffix.lower() == ".json" else _parse_csv(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(
            f"{path} does not list the classes of images ({first_line(error)}); write rows such "
            'as cat/1.jpg,tabby in a .csv file, or {"cat/1.jpg": "tabby"} in a .json file.'
        ) from error


def _parse_json(text: str) -> dict[str, str]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004
    if not all(isinstance(value, str | int) for value in content.values()):
        raise ValueError("a class is neither a name nor a number")
    return {name: str(value) for name, value in content.items()}


def _parse_csv(text: str) -> dict[str, str]:
    classes = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if row:
            if len(row) < 2:
                raise ValueError(f"line {number} has no class")
            classes[row[0].strip()] = row[1].strip()
    return classes


def find_true_classes(
    images: Sequence[LabelledImage], labels: Sequence[str], notify: Callable[[str], None]
) -> list[int | None]:
    """Find the network's class of each image.

    Args:
        images: The images.
        labels: The labels of the network's classes.
        notify: Called with a sentence if the names are no labels and are matched by their order.

    Returns:
        One class index per image, or None if its class is unknown.

    Raises:
        UsageError: A name is not a class of the network.
    """
    names = sorted({image.truth for image in images if image.truth is not None})
    matches = {name: _class_named(labels, name) for name in names}
    classes = {name: index for name, index in matches.items() if isinstance(index, int)}
    problems = [match for match in matches.values() if isinstance(match, UsageError)]
    if problems and not classes and len(names) == len(labels):
        notify(
            f"None of the {len(names)} class names is a label of the network; taking them in "
            "alphabetical order, as torchvision's ImageFolder does."
        )
        classes = {name: index for index, name in enumerate(names)}
    elif problems:
        raise UsageError(
            f"the class of an image must be a class of the network: {problems[0]}"
        ) from problems[0]
    return [None if image.truth is None else classes[image.truth] for image in images]


def _class_named(labels: Sequence[str], name: str) -> int | UsageError:
    """Find a class by its label, in which `_` may stand for a space, or by its index.

    Part of a label does not match: folders called train or test are no classes.
    """
    spellings = (name.casefold(), name.casefold().replace("_", " "))
    same = [index for index, label in enumerate(labels) if label.casefold() in spellings]
    if len(same) == 1:  # checked before indices, because a label may be a number
        return same[0]
    try:
        index = find_class(labels, labels[same[0]] if same else name)
    except UsageError as error:
        return error
    if name.isdecimal():
        return index
    return UsageError(
        f"{shortened(name)!r} is only a part of {shortened(labels[index])!r} ({index}); give the "
        "full label or its index."
    )
