"""Typing a class's name, with suggestions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from live_cam.labels import matching_classes
from live_cam.live.controls import Controls, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUGGESTIONS: Final = 6


def begin_entry(controls: Controls) -> Outcome:
    """Start typing: keys are letters from now on."""
    if not controls.labels:
        return Outcome(controls, "the network is still loading")
    return Outcome(replace(controls, entry=""))


def type_key(controls: Controls, key: str) -> Outcome:
    """Add a key to the entry, or finish it.

    Args:
        controls: With an entry.
        key: Its name, as `Window.poll` returns it.
    """
    entry = controls.entry or ""
    if key == "esc":
        return Outcome(replace(controls, entry=None))
    if key in ("tab", "enter"):
        return _accept(controls, entry, finish=key == "enter")
    if key == "backspace":
        return Outcome(replace(controls, entry=entry[:-1]))
    typed = " " if key == "space" else key.lower() if len(key) == 1 else ""
    return Outcome(replace(controls, entry=entry + typed))


def _accept(controls: Controls, entry: str, *, finish: bool) -> Outcome:
    """Lock the first suggestion, or only complete it."""
    suggestions = _suggestions(controls)
    if not suggestions:
        return Outcome(controls, f"no class matches {entry!r}")
    chosen = suggestions[0]
    label = controls.labels[chosen]
    if not finish:
        return Outcome(replace(controls, entry=label.casefold()))
    return Outcome(replace(controls, locked=(chosen,), entry=None), f"explaining {label}")


def entry_card(controls: Controls) -> tuple[tuple[str, str], ...]:
    """Return the rows of the card that shows the entry and the classes it matches."""
    labels: Sequence[str] = [controls.labels[index] for index in _suggestions(controls)]
    keys = ("enter", *[""] * len(labels))
    rows = zip(keys, labels or ["no match"], strict=False)
    return (("/", f"{controls.entry}_"), *rows)


def _suggestions(controls: Controls) -> tuple[int, ...]:
    """Return the classes that the entry matches, best match first."""
    return matching_classes(controls.labels, controls.entry or "")[:_SUGGESTIONS]
