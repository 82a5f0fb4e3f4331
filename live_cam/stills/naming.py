"""Names of the output files, chosen so that nothing existing is overwritten."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LISTED: Final = 3


class Still(NamedTuple):
    """An image file and the names of its outputs."""

    source: Path
    """The image file."""
    folder: Path
    """The folder of the outputs."""
    name: str
    """The common beginning of all output names."""

    def output(self, ending: str, part: str = "") -> Path:
        """Return the path of an output.

        Args:
            ending: One of the endings in `record.still_names`.
            part: The class's part of the name, or empty if only one class is explained.
        """
        return self.folder / f"{self.name}{'.' if part else ''}{part}{ending}"


def name_stills(images: Sequence[Path], folder: Path | None) -> list[Still]:
    """Give each image a unique name: its file name without the ending, numbered if needed.

    Args:
        images: The images to explain.
        folder: The folder of the outputs, or None to write beside each image.
    """
    wanted = [(folder or path.parent, path.stem) for path in images]
    # The file systems of macOS and Windows ignore case.
    taken = {_key(*place) for place in wanted}
    assigned: set[tuple[Path, str]] = set()
    stills = []
    for path, (where, stem) in zip(images, wanted, strict=True):
        name = stem
        if _key(where, stem) in assigned:
            candidates = (f"{stem}-{number}" for number in count(2))
            reserved = taken | assigned
            name = next(option for option in candidates if _key(where, option) not in reserved)
        assigned.add(_key(where, name))
        stills.append(Still(path, where, name))
    return stills


def _key(folder: Path, name: str) -> tuple[Path, str]:
    return folder.resolve(), name.casefold()


def class_parts(labels: Sequence[str], classes: Sequence[int]) -> list[str]:
    """Return the part of an output's name that identifies each class.

    Args:
        labels: The labels of all classes.
        classes: The indices of the classes to explain.

    Returns:
        One part per class; a single empty one for fewer than two classes.
    """
    if len(classes) < 2:
        return [""]
    plain = [_plain(labels[index]) for index in classes]
    return [
        part if plain.count(part) == 1 else f"{part}-{index}"
        for part, index in zip(plain, classes, strict=True)
    ]


def _plain(label: str) -> str:
    """Reduce a label to characters that every file system accepts."""
    words = "".join(letter if letter.isalnum() else " " for letter in label).split()
    return "-".join(words) or "class"


def check_free(files: Iterable[Path]) -> None:
    """Reject outputs that exist.

    Raises:
        UsageError: Some of the files exist; one message names them all.
    """
    existing = [path for path in files if path.exists()]
    if not existing:
        return
    more = len(existing) - _LISTED
    listed = ", ".join(map(str, existing[:_LISTED])) + (f" and {more} more" if more > 0 else "")
    exist = "already exists" if len(existing) == 1 else "already exist"
    raise UsageError(
        f"{listed} {exist}; give `overwrite` to replace existing files, or another folder as "
        "`output`."
    )
