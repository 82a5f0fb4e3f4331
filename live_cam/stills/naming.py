"""Where everything about an image is written, without touching what is there already."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LISTED: Final = 3


class Still(NamedTuple):
    """An image, and what all that is written about it is called."""

    source: Path
    """The image."""
    folder: Path
    """Where to write."""
    name: str
    """How the names of all outputs begin."""

    def output(self, ending: str, part: str = "") -> Path:
        """Return a file to write.

        Args:
            ending: What it is: one of the endings above.
            part: Which class it is of, where there are several.
        """
        return self.folder / f"{self.name}{'.' if part else ''}{part}{ending}"


def name_stills(images: Sequence[Path], folder: Path | None) -> list[Still]:
    """Give each image a name of its own: the file's without its ending, numbered where needed.

    Args:
        images: What is explained.
        folder: Where to write; None: beside each image.
    """
    wanted = [(folder or path.parent, path.stem) for path in images]
    # File systems of macOS and Windows take A and a for the same.
    taken = {_key(*place) for place in wanted}
    given: set[tuple[Path, str]] = set()
    stills = []
    for path, (where, stem) in zip(images, wanted, strict=True):
        name = stem
        if _key(where, stem) in given:
            numbered = (f"{stem}-{number}" for number in count(2))
            name = next(each for each in numbered if _key(where, each) not in taken | given)
        given.add(_key(where, name))
        stills.append(Still(path, where, name))
    return stills


def _key(folder: Path, name: str) -> tuple[Path, str]:
    return folder.resolve(), name.casefold()


def class_parts(labels: Sequence[str], classes: Sequence[int]) -> list[str]:
    """Return what of an output's name says which class it is of.

    Args:
        labels: The names of all classes.
        classes: Those that were asked for.

    Returns:
        One for each; empty where there is no other class.
    """
    if len(classes) < 2:
        return [""]
    plain = [_plain(labels[index]) for index in classes]
    return [
        part if plain.count(part) == 1 else f"{part}-{index}"
        for part, index in zip(plain, classes, strict=True)
    ]


def _plain(label: str) -> str:
    """Keep of a label what every file system takes in a name."""
    words = "".join(letter if letter.isalnum() else " " for letter in label).split()
    return "-".join(words) or "class"


def check_free(files: Iterable[Path]) -> None:
    """Refuse to write over files.

    Raises:
        UsageError: Some of them exist; one sentence for all.
    """
    existing = [path for path in files if path.exists()]
    if not existing:
        return
    more = len(existing) - _LISTED
    listed = ", ".join(map(str, existing[:_LISTED])) + (f" and {more} more" if more > 0 else "")
    exist = "already exists" if len(existing) == 1 else "already exist"
    raise UsageError(
        f"{listed} {exist}; give --overwrite to write over what is there, or another folder with "
        "--output."
    )
