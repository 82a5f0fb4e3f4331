"""Class names: reading them from a file, and finding the class that a user means."""

from __future__ import annotations

import difflib
import json
import unicodedata
from typing import TYPE_CHECKING, Final

from live_cam.errors import UsageError, shortened
from live_cam.runtime.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_SHOWN_CANDIDATES = 12
_LONGEST_NAME: Final = 1000
"""Characters. Even WordNet's names with all their synonyms stay below 300."""
_MOST_DIGITS: Final = 18
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but required in Persian, Hindi and emoji."""


def load_labels(path: Path) -> tuple[str, ...]:
    """Read class names in the order of a network's outputs.

    Args:
        path: A text file with one label per line, or a `.json` file with a list of labels or an
            index map: `{"0": "tench", …}`, or Keras' `{"0": ["n01440764", "tench"], …}`.

    Returns:
        The labels, in the order of the class indices. Each is a single line without invisible
        characters, such as those that change the text direction; an empty label becomes
        `class INDEX`.

    Raises:
        UsageError: The file cannot be read, has another format, or contains an invalid name.
    """
    text = read_text(path, "labels")
    labels = _parse_json(text, path) if path.suffix.lower() == ".json" else _parse_lines(text)
    if not labels:
        raise UsageError(f"the labels {path} are empty; the file needs one label per line.")
    return tuple(_printable(label, index, path) for index, label in enumerate(labels))


def _parse_lines(text: str) -> list[str]:
    # Not `splitlines`, which also splits at characters that few programs treat as line ends.
    lines = text.rstrip().replace("\r\n", "\n").replace("\r", "\n")
    return lines.split("\n") if lines else []


def _parse_json(text: str, path: Path) -> list[str]:
    problem = UsageError(
        f"the labels {path} are not a JSON list of names; give such a list, or a map from every "
        'index, starting at 0, to a name, such as {"0": "cat", "1": "dog"}.'
    )
    try:
        content = json.loads(text)
        if isinstance(content, dict):
            by_index = {int(index): entry for index, entry in content.items()}
            content = [by_index[index] for index in range(len(content))]
    except (ValueError, KeyError, RecursionError) as error:
        raise problem from error
    if not isinstance(content, list):
        raise problem
    labels = [entry[-1] if isinstance(entry, list) and entry else entry for entry in content]
    if not all(isinstance(label, str) for label in labels):
        raise problem
    return labels


def _printable(label: str, index: int, path: Path) -> str:
    """Return a label that can be displayed and printed anywhere."""
    line = " ".join(label.split())
    if len(line) > _LONGEST_NAME:
        raise UsageError(
            f"the label of class {index} in {path} is {len(line)} characters long; the limit is "
            f"{_LONGEST_NAME}, with one label per line."
        )
    kinds = {character: unicodedata.category(character) for character in line}
    for character, kind in kinds.items():
        if kind in ("Cc", "Cs"):
            raise UsageError(
                f"the label of class {index} in {path} contains the control character "
                f"U+{ord(character):04X}; save the file as plain text, with one label per line."
            )
    visible = (character for character in line if kinds[character] != "Cf" or character in _JOINERS)
    return "".join(visible).strip() or f"class {index}"


def find_class(labels: Sequence[str], wanted: str) -> int:
    """Return the index of the class that a user means.

    A number is an index. A name matches case-insensitively: a whole label first, then a part of
    exactly one label.

    Raises:
        UsageError: No class matches, or several do; the message lists candidates.
    """
    wanted = wanted.strip()
    if wanted.isdecimal():
        # `int` rejects strings of thousands of digits.
        index = int(wanted) if len(wanted) <= _MOST_DIGITS else len(labels)
        if index < len(labels):
            return index
        raise UsageError(
            f"there is no class {shortened(wanted)}; this network's classes are 0 to "
            f"{len(labels) - 1}."
        )
    needle = wanted.casefold()
    folded = [label.casefold() for label in labels]
    matches = [index for index, label in enumerate(folded) if label == needle]
    if not matches and needle:
        matches = [index for index, label in enumerate(folded) if needle in label]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            f"the class {shortened(wanted)!r} is ambiguous: it matches {_listed(labels, matches)}; "
            "give one of these names or numbers in full."
        )
    close = difflib.get_close_matches(needle, folded, n=3, cutoff=0.6)
    nearest = [folded.index(label) for label in close]
    hint = f"did you mean {_listed(labels, nearest)}?" if nearest else "try a part of its name."
    raise UsageError(
        f"none of this network's {len(labels)} classes is called {shortened(wanted)!r}; {hint}"
    )


def find_classes(labels: Sequence[str], wanted: Iterable[str]) -> tuple[int, ...]:
    """Return the indices of several classes as `find_class` does, without duplicates."""
    return tuple(dict.fromkeys(find_class(labels, name) for name in wanted))


def matching_classes(labels: Sequence[str], typed: str) -> tuple[int, ...]:
    """Return the classes whose names contain the typed text.

    Args:
        labels: The class names.
        typed: Any part of a name, case-insensitive. Empty text matches nothing.

    Returns:
        Class indices, sorted: names that start with the text, names with a word that does, others.
    """
    needle = typed.strip().casefold()
    if not needle:
        return ()
    ranked = [
        (not name.startswith(needle), f" {needle}" not in f" {name}", len(name), index)
        for index, name in enumerate(label.casefold() for label in labels)
        if needle in name
    ]
    return tuple(index for *_, index in sorted(ranked))


def _listed(labels: Sequence[str], indices: Sequence[int]) -> str:
    shown = indices[:_SHOWN_CANDIDATES]
    entries = [f"{shortened(labels[index])!r} ({index})" for index in shown]
    more = len(indices) - len(shown)
    return ", ".join(entries) + (f" and {more} more" if more > 0 else "")
