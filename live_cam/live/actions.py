"""Everything that a key or the mouse does, once: the one table of actions.

Handlers change the controls and nothing else, so that any front end can offer the same actions; the
live loop looks at the controls and acts on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from live_cam.geometry import Region
from live_cam.live.pointing import PRESS, RELEASE
from live_cam.overlay.status import Status
from live_cam.question import AGAINST, FOR, VERSUS, EvidenceKind
from live_cam.settings import ALPHA, ALPHA_STEP, FULL_FRAME_VIEWS, METHODS, THEMES, TOP_K

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.live.controls import Controls
    from live_cam.live.pointing import PointerEvent

_LEAST_DRAG: Final = 0.01
"""Of the image's sides: who moves the mouse by less has clicked."""
_LAYOUTS: Final = ("overlay", "heatmap", "camera", "split")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does."""

    name: str
    """A word for scripts and other front ends."""
    keys: tuple[str, ...]
    """Names of the keys, as `Window.poll` gives them, or of what the mouse does: `drag`, `click`
    or `hover`. The first one is shown."""
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


def _next_method(controls: Controls) -> str:
    place = METHODS.index(controls.method) + 1
    controls.method = METHODS[place % len(METHODS)]
    return f"method {controls.method}"


def _next_layout(controls: Controls) -> str:
    place = _LAYOUTS.index(controls.view) + 1 if controls.view in _LAYOUTS else 0
    controls.view = _LAYOUTS[place % len(_LAYOUTS)]
    return f"view {controls.view}"


def _toggle_view(view: str, controls: Controls) -> str:
    controls.view = "overlay" if controls.view == view else view
    controls.focus = None
    return f"view {controls.view}"


def _toggle_evidence(evidence: EvidenceKind, controls: Controls) -> str:
    controls.evidence = FOR if controls.evidence == evidence else evidence
    return {
        FOR: "evidence for the class",
        AGAINST: "red speaks for the class, blue against it",
        VERSUS: "red speaks for the class, blue for its rival",
    }[controls.evidence]


def _lock(rank: int, controls: Controls) -> str:
    if rank >= len(controls.top):
        return "no class in that place yet"
    chosen = controls.top[rank]
    if controls.view != "classes" or not controls.locked:
        controls.locked = (chosen.class_index,)
    elif chosen.class_index in controls.locked:
        rest = tuple(each for each in controls.locked if each != chosen.class_index)
        controls.locked = rest
        return f"without {chosen.label}"
    else:
        controls.locked = (*controls.locked, chosen.class_index)
    return f"why {chosen.label}?"


def _follow_top(controls: Controls) -> str:
    controls.locked = ()
    return "the top class again"


def _type_class(controls: Controls) -> str | None:
    if not controls.labels:
        return "the network is not loaded yet"
    controls.entry = ""
    return None


def _toggle_check(controls: Controls) -> str:
    controls.check = not controls.check
    return "would it still say so?" if controls.check else "no more checks"


def _randomise(controls: Controls) -> str:
    controls.randomised = not controls.randomised
    return "randomising the weights, last layer first" if controls.randomised else "its own weights"


def _toggle_box(controls: Controls) -> str:
    controls.box = not controls.box
    return "box" if controls.box else "no box"


def _toggle_bars(controls: Controls) -> str:
    controls.bars = not controls.bars
    return "bars" if controls.bars else "no bars"


def _next_theme(controls: Controls) -> str:
    place = THEMES.index(controls.theme) + 1
    controls.theme = THEMES[place % len(THEMES)]
    return "no glass" if controls.theme == "none" else f"theme {controls.theme}"


def _full_screen(controls: Controls) -> str:
    controls.full_screen = not controls.full_screen
    return "full screen" if controls.full_screen else "in a window"


def _move_focus(step: int, controls: Controls) -> str:
    if controls.view != "maps":
        return "k shows the feature maps"
    if not controls.panes:
        return "the feature maps are on their way"
    place = step - 1 if controls.focus is None and step > 0 else (controls.focus or 0) + step
    controls.focus = place if 0 <= place < len(controls.panes) else None
    if controls.focus is None:
        return "all feature maps together"
    return f"feature map {controls.focus + 1} of {len(controls.panes)}"


def _hover(controls: Controls) -> None:
    under = (place for place, pane in enumerate(controls.panes) if pane.contains(*controls.pointer))
    if controls.view == "maps":
        controls.focus = next(under, None)


def _drag(controls: Controls) -> str | None:
    if controls.view not in FULL_FRAME_VIEWS:
        return f"a box can be drawn in the views {', '.join(FULL_FRAME_VIEWS)}"
    if controls.pressed:
        drawn = Region.between(controls.pressed, controls.pointer)
        controls.target = drawn.mirrored() if controls.mirror else drawn
    return "how often is the peak in your box?"


def _click(controls: Controls) -> str | None:
    had, controls.target = controls.target, None
    return "no box to hit" if had else None


def _help_text(action: Action) -> str:
    return action.help


ACTIONS: Final = (
    Action("quit", ("q", "esc"), "quit (or Esc)", _quit),
    Action("freeze", ("space",), "freeze the image", _freeze),
    Action("snapshot", ("s",), "save a snapshot", _snapshot),
    Action("record", ("r",), "start or stop a recording", _record),
    Action("mirror", ("m",), "mirror the image", _mirror),
    Action("stronger", ("+",), "stronger heatmap", _stronger),
    Action("weaker", ("-",), "weaker heatmap", _weaker),
    Action("method", ("c",), "next method", _next_method),
    Action("grid", ("g",), "all methods side by side", partial(_toggle_view, "grid")),
    Action("classes", ("x",), "classes side by side", partial(_toggle_view, "classes")),
    Action("maps", ("k",), "the strongest feature maps", partial(_toggle_view, "maps")),
    Action("next-map", ("right", "down"), "enlarge the next map", partial(_move_focus, 1)),
    Action("last-map", ("left", "up"), "enlarge the one before", partial(_move_focus, -1)),
    Action("layout", ("l",), "overlay, heatmap, camera, split", _next_layout),
    *(
        Action(f"lock-{rank}", (str(rank),), "why this one of the top?", partial(_lock, rank - 1))
        for rank in range(1, TOP_K + 1)
    ),
    Action("follow", ("0",), "follow the top class", _follow_top),
    Action("type", ("/",), "type a class", _type_class),
    Action("against", ("n",), "what speaks against it", partial(_toggle_evidence, AGAINST)),
    Action("versus", ("v",), "why not the runner-up", partial(_toggle_evidence, VERSUS)),
    Action("check", ("f",), "would it still say so?", _toggle_check),
    Action("randomise", ("w",), "randomise the weights, and back", _randomise),
    Action("box", ("b",), "a box around the evidence", _toggle_box),
    Action("aim", ("drag",), "a box: is the peak in it?", _drag),
    Action("forget", ("click",), "forget that box", _click),
    Action("point", ("hover",), "enlarge the map under it", _hover),
    Action("bars", ("p",), "probability bars", _toggle_bars),
    Action("theme", ("t",), "dark, light or no glass", _next_theme),
    # Qt does not tell F from f: there only F11 does it.
    Action("full-screen", ("f11", "F"), "full screen", _full_screen),
    Action("help", ("h",), "show or hide the keys", _help),
)
"""Every action, in the order of the help card."""

KEY_HELP: Final = tuple(
    ("…".join(dict.fromkeys((same[0].keys[0], same[-1].keys[0]))), meaning)
    for meaning, same in ((each, list(actions)) for each, actions in groupby(ACTIONS, _help_text))
)
"""Pairs of key and meaning, for the help card and the README."""

_BY_KEY: Final = {key: action for action in ACTIONS for key in action.keys}


def press(controls: Controls, key: str) -> str | None:
    """Do what a key does, and return the confirmation to show; other keys do nothing."""
    if controls.entry is not None:
        return _type(controls, key)
    action = _BY_KEY.get(key) or _BY_KEY.get(key.lower())
    return action.handler(controls) if action else None


def status_of(controls: Controls) -> Status:
    """Say what the image shows of the controls; the figures of the run are for others to add."""
    return Status(
        view=controls.view,
        locked=bool(controls.locked),
        focus=controls.focus,
        box=controls.box,
        target=controls.target,
        bars=controls.bars,
        theme=controls.theme,
        alpha=controls.alpha,
        mirror=controls.mirror,
        frozen=controls.frozen,
        keys=_card(controls),
    )


def _card(controls: Controls) -> tuple[tuple[str, str], ...]:
    if controls.entry is None:
        return KEY_HELP if controls.help else ()
    found = [controls.labels[index] for index in controls.suggestions]
    keys = ("enter", *[""] * len(found))
    return (("/", controls.entry + "_"), *zip(keys, found or ["no class yet"], strict=False))


def point(controls: Controls, event: PointerEvent) -> str | None:
    """Do what the mouse does, and return the confirmation to show."""
    controls.pointer = event.x, event.y
    if event.kind == PRESS:
        controls.pressed = controls.pointer
        return None
    origin = controls.pressed
    if origin is None:
        return _BY_KEY["hover"].handler(controls)
    dragged = math.dist(origin, controls.pointer) >= _LEAST_DRAG
    gesture = "drag" if dragged else "click" if event.kind == RELEASE else None
    confirmation = _BY_KEY[gesture].handler(controls) if gesture else None
    if event.kind == RELEASE:
        controls.pressed = None
    return confirmation


def _type(controls: Controls, key: str) -> str | None:
    """Add a key to the class's name that is being typed, or end the typing."""
    entry = controls.entry or ""
    if key == "esc":
        controls.entry = None
    elif key == "backspace":
        controls.entry = entry[:-1]
    elif key in ("tab", "enter"):
        found = controls.suggestions
        if not found:
            return f"no class is called {entry!r}"
        if key == "enter":
            controls.locked, controls.entry = (found[0],), None
            return f"why {controls.labels[found[0]]}?"
        controls.entry = controls.labels[found[0]].casefold()
    elif key == "space":
        controls.entry = entry + " "
    elif len(key) == 1:
        controls.entry = entry + key.lower()
    return None
