"""The names of a network's classes: read from a file, and found again from what a user types."""

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
"""Characters. WordNet's synonyms, all of them in one name, stay below 300."""
_MOST_DIGITS: Final = 18
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but Persian, Hindi and emoji are not written without."""


def load_labels(path: Path) -> tuple[str, ...]:
    """Read class names in the order of a network's outputs.

    Args:
        path: A text file with one label a line, or a `.json` file with either a list of labels or
            an index map: `{"0": "tench", …}`, or Keras' `{"0": ["n01440764", "tench"], …}`.

    Returns:
        The labels; the position is the class index. Each is one line without invisible characters,
        such as those that turn the direction of what follows; an empty one is called by its index.

    Raises:
        UsageError: The file cannot be read, or is none of these, or holds what is no name.
    """
    text = read_text(path, "labels")
    labels = _parse_json(text, path) if path.suffix.lower() == ".json" else _parse_lines(text)
    if not labels:
        raise UsageError(f"the labels {path} are empty; there must be one label a line.")
    return tuple(_name(label, index, path) for index, label in enumerate(labels))


def _parse_lines(text: str) -> list[str]:
    # Not `splitlines`: it would count what only some programs take for the end of a line.
    lines = text.rstrip().replace("\r\n", "\n").replace("\r", "\n")
    return lines.split("\n") if lines else []


def _parse_json(text: str, path: Path) -> list[str]:
    problem = UsageError(
        f"the labels {path} are not a JSON list of names nor a map from every index, from 0 on, "
        'to a name, such as {"0": "cat", "1": "dog"}.'
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


def _name(label: str, index: int, path: Path) -> str:
    """Return a label as it can be shown and printed anywhere."""
    line = " ".join(label.split())
    if len(line) > _LONGEST_NAME:
        raise UsageError(
            f"the label of class {index} in {path} is {len(line)} characters long; a name has "
            f"{_LONGEST_NAME} at most, one label a line."
        )
    kinds = {character: unicodedata.category(character) for character in line}
    for character, kind in kinds.items():
        if kind in ("Cc", "Cs"):
            raise UsageError(
                f"the label of class {index} in {path} holds the control character "
                f"U+{ord(character):04X}; save the file as plain text, one label a line."
            )
    shown = (each for each in line if kinds[each] != "Cf" or each in _JOINERS)
    return "".join(shown).strip() or f"class {index}"


def find_class(labels: Sequence[str], wanted: str) -> int:
    """Return the index of the class that `wanted` means.

    A number is an index. A name matches case-insensitively: first as a whole, then as a part of
    exactly one label.

    Raises:
        UsageError: No class or several classes match; the message lists the candidates.
    """
    wanted = wanted.strip()
    if wanted.isdecimal():
        # Python makes no integers of thousands of digits.
        index = int(wanted) if len(wanted) <= _MOST_DIGITS else len(labels)
        if index < len(labels):
            return index
        raise UsageError(
            f"there is no class {shortened(wanted)}: this network's classes are 0 to "
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
            f"the class {shortened(wanted)!r} could be any of {_listing(labels, matches)}; "
            "give one of these names or numbers in full."
        )
    close = difflib.get_close_matches(needle, folded, n=3, cutoff=0.6)
    nearest = [folded.index(label) for label in close]
    hint = f"did you mean {_listing(labels, nearest)}?" if nearest else "try a part of its name."
    raise UsageError(
        f"none of this network's {len(labels)} classes is called {shortened(wanted)!r}; {hint}"
    )


def find_classes(labels: Sequence[str], wanted: Iterable[str]) -> tuple[int, ...]:
    """Return the index of every class that is meant, each once, as `find_class` does."""
    return tuple(dict.fromkeys(find_class(labels, name) for name in wanted))


def matching_classes(labels: Sequence[str], typed: str) -> tuple[int, ...]:
    """Return the classes whose names hold what was typed.

    Args:
        labels: The classes' names.
        typed: The beginning or another part of a name, in any case; empty: nothing matches.

    Returns:
        Their indices: names that begin with it come first, then those with a word that does.
    """
    needle = typed.strip().casefold()
    if not needle:
        return ()
    found = [
        (not name.startswith(needle), f" {needle}" not in f" {name}", len(name), index)
        for index, name in enumerate(label.casefold() for label in labels)
        if needle in name
    ]
    return tuple(index for *_, index in sorted(found))


def _listing(labels: Sequence[str], indices: Iterable[int]) -> str:
    found = list(indices)
    entries = [f"{shortened(labels[each])!r} ({each})" for each in found[:_SHOWN_CANDIDATES]]
    more = len(found) - _SHOWN_CANDIDATES
    return ", ".join(entries) + (f" and {more} more" if more > 0 else "")
