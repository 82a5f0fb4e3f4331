"""What the user changes while the program runs, and the one table of the keys that change it.

Handlers change the state and nothing else, so that any front end can offer the same actions; the
live loop looks at the state and acts on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from live_cam.settings import ALPHA, ALPHA_STEP

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Controls:
    """The state that keys change."""

    alpha: float = 0.45
    """Weight of the heatmap's colours, in `settings.ALPHA`."""
    mirror: bool = False
    """Whether the picture is drawn mirrored."""
    frozen: bool = False
    """Whether the picture stands still."""
    help: bool = False
    """Whether the help card is shown."""
    recording: bool = False
    """Whether a recording is wanted."""
    snapshots: int = 0
    """How many snapshots were asked for and not yet saved."""
    quit: bool = False
    """Whether the program is to end."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does."""

    name: str
    """A word for scripts and other front ends."""
    keys: tuple[str, ...]
    """Names of the keys, as `Window.poll` gives them; the first one is shown."""
    help: str
    """What it does, for the help card and the README."""
    handler: Callable[[Controls], str | None]
    """Changes the state; returns a confirmation to show for a moment, or None."""


def _quit(controls: Controls) -> None:
    controls.quit = True


def _freeze(controls: Controls) -> str | None:
    controls.frozen = not controls.frozen
    return None if controls.frozen else "live again"


def _snapshot(controls: Controls) -> None:
    controls.snapshots += 1


def _record(controls: Controls) -> None:
    controls.recording = not controls.recording


def _help(controls: Controls) -> None:
    controls.help = not controls.help


def _mirror(controls: Controls) -> str:
    controls.mirror = not controls.mirror
    return "mirrored" if controls.mirror else "not mirrored"


def _stronger(controls: Controls) -> str:
    return _change_alpha(controls, ALPHA_STEP)


def _weaker(controls: Controls) -> str:
    return _change_alpha(controls, -ALPHA_STEP)


def _change_alpha(controls: Controls, step: float) -> str:
    alpha = round(controls.alpha + step, 2)
    controls.alpha = min(max(alpha, ALPHA.low), ALPHA.high)
    return f"heatmap {controls.alpha:.0%}"


ACTIONS: Final = (
    Action("quit", ("q", "esc"), "quit (or Esc)", _quit),
    Action("freeze", ("space",), "freeze the picture", _freeze),
    Action("snapshot", ("s",), "save a snapshot", _snapshot),
    Action("record", ("r",), "start or stop a recording", _record),
    Action("mirror", ("m",), "mirror the picture", _mirror),
    Action("stronger", ("+",), "stronger heatmap", _stronger),
    Action("weaker", ("-",), "weaker heatmap", _weaker),
    Action("help", ("h",), "show or hide the keys", _help),
)
"""Every action, in the order of the help card."""

KEY_HELP: Final = tuple((action.keys[0], action.help) for action in ACTIONS)
"""Pairs of key and meaning, for the help card and the README."""

_BY_KEY: Final = {key: action for action in ACTIONS for key in action.keys}


def press(controls: Controls, key: str) -> str | None:
    """Do what a key does, and return the confirmation to show; other keys do nothing."""
    action = _BY_KEY.get(key)
    return action.handler(controls) if action else None
