"""The table of actions: what each key and each gesture of the mouse does.

A handler is a pure function from the controls to new ones, so any front end can offer the same
actions. Only the live loop acts on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from live_cam.geometry import Region
from live_cam.live.controls import Controls, Outcome
from live_cam.live.entry import begin_entry, entry_card, type_key
from live_cam.live.pointing import PRESS, RELEASE
from live_cam.look import ALPHA, ALPHA_STEP, FULL_FRAME_VIEWS, THEMES
from live_cam.overlay.status import Status
from live_cam.question import AGAINST, FOR, VERSUS, EvidenceKind
from live_cam.settings import METHODS, TOP_K

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.live.pointing import PointerEvent
    from live_cam.look import View
    from live_cam.question import EvidenceKind

_LEAST_DRAG: Final = 0.01
"""Share of the image's sides. A shorter movement is a click."""
_LAYOUTS: Final[tuple[View, ...]] = ("overlay", "heatmap", "camera", "split")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does."""

    name: str
    """A word for scripts and other front ends."""
    keys: tuple[str, ...]
    """Names of the keys, as `Window.poll` returns them, or a gesture: `drag`, `click` or `hover`.
    The first one is shown."""
    help: str
    """What it does, for the help card and the README."""
    handler: Callable[[Controls], Outcome]


def _quit(controls: Controls) -> Outcome:
    return Outcome(replace(controls, quit=True))


def _freeze(controls: Controls) -> Outcome:
    frozen = not controls.frozen
    return Outcome(replace(controls, frozen=frozen), None if frozen else "live")


def _snapshot(controls: Controls) -> Outcome:
    return Outcome(replace(controls, snapshots=controls.snapshots + 1))


def _record(controls: Controls) -> Outcome:
    return Outcome(replace(controls, recording=not controls.recording))


def _help(controls: Controls) -> Outcome:
    return Outcome(replace(controls, help=not controls.help))


def _mirror(controls: Controls) -> Outcome:
    mirror = not controls.look.mirror
    return Outcome(controls.with_look(mirror=mirror), "mirrored" if mirror else "not mirrored")


def _change_alpha(step: float, controls: Controls) -> Outcome:
    alpha = min(max(round(controls.look.alpha + step, 2), ALPHA.low), ALPHA.high)
    return Outcome(controls.with_look(alpha=alpha), f"heatmap {alpha:.0%}")


def _next_method(controls: Controls) -> Outcome:
    place = METHODS.index(controls.method) + 1
    method = METHODS[place % len(METHODS)]
    return Outcome(replace(controls, method=method), f"method {method}")


def _next_layout(controls: Controls) -> Outcome:
    view = controls.look.view
    place = _LAYOUTS.index(view) + 1 if view in _LAYOUTS else 0
    view = _LAYOUTS[place % len(_LAYOUTS)]
    return Outcome(controls.with_look(view=view), f"view {view}")


def _toggle_view(view: View, controls: Controls) -> Outcome:
    shown = "overlay" if controls.look.view == view else view
    return Outcome(replace(controls.with_look(view=shown), focus=None), f"view {shown}")


def _toggle_evidence(evidence: EvidenceKind, controls: Controls) -> Outcome:
    shown = FOR if controls.evidence == evidence else evidence
    confirmation = {
        FOR: "evidence for the class",
        AGAINST: "red: for the class, blue: against it",
        VERSUS: "red: for the class, blue: for the runner-up",
    }[shown]
    return Outcome(replace(controls, evidence=shown), confirmation)


def _lock(rank: int, controls: Controls) -> Outcome:
    if rank >= len(controls.top):
        return Outcome(controls, f"no class at rank {rank + 1} yet")
    chosen = controls.top[rank]
    if controls.look.view != "classes" or not controls.locked:
        locked: tuple[int, ...] = (chosen.class_index,)
    elif chosen.class_index in controls.locked:
        locked = tuple(each for each in controls.locked if each != chosen.class_index)
        return Outcome(replace(controls, locked=locked), f"removed {chosen.label}")
    else:
        locked = (*controls.locked, chosen.class_index)
    return Outcome(replace(controls, locked=locked), f"explaining {chosen.label}")


def _follow_top(controls: Controls) -> Outcome:
    return Outcome(replace(controls, locked=()), "following the top class")


def _toggle_check(controls: Controls) -> Outcome:
    check = not controls.check
    confirmation = "hiding the hottest region" if check else "no more checks"
    return Outcome(replace(controls, check=check), confirmation)


def _randomise(controls: Controls) -> Outcome:
    randomised = not controls.randomised
    confirmation = "randomising the weights, last layer first" if randomised else "weights restored"
    return Outcome(replace(controls, randomised=randomised), confirmation)


def _toggle_box(controls: Controls) -> Outcome:
    box = not controls.look.box
    return Outcome(controls.with_look(box=box), "box on" if box else "box off")


def _toggle_bars(controls: Controls) -> Outcome:
    bars = not controls.look.bars
    return Outcome(controls.with_look(bars=bars), "bars on" if bars else "bars off")


def _next_theme(controls: Controls) -> Outcome:
    place = THEMES.index(controls.look.theme) + 1
    theme = THEMES[place % len(THEMES)]
    confirmation = "no glass" if theme == "none" else f"theme {theme}"
    return Outcome(controls.with_look(theme=theme), confirmation)


def _full_screen(controls: Controls) -> Outcome:
    full_screen = not controls.full_screen
    confirmation = "full screen" if full_screen else "window"
    return Outcome(replace(controls, full_screen=full_screen), confirmation)


def _move_focus(step: int, controls: Controls) -> Outcome:
    if controls.look.view != "maps":
        return Outcome(controls, "press k for the feature maps")
    if not controls.panes:
        return Outcome(controls, "waiting for the feature maps")
    place = step - 1 if controls.focus is None and step > 0 else (controls.focus or 0) + step
    if not 0 <= place < len(controls.panes):
        return Outcome(replace(controls, focus=None), "sum of all feature maps")
    confirmation = f"feature map {place + 1} of {len(controls.panes)}"
    return Outcome(replace(controls, focus=place), confirmation)


def _hover(controls: Controls) -> Outcome:
    if controls.look.view != "maps":
        return Outcome(controls)
    under = (place for place, pane in enumerate(controls.panes) if pane.contains(*controls.pointer))
    return Outcome(replace(controls, focus=next(under, None)))


def _drag(controls: Controls) -> Outcome:
    if controls.look.view not in FULL_FRAME_VIEWS:
        return Outcome(controls, f"boxes can be drawn in the views {', '.join(FULL_FRAME_VIEWS)}")
    if controls.pressed:
        drawn = Region.between(controls.pressed, controls.pointer)
        controls = replace(controls, target=drawn.mirrored() if controls.look.mirror else drawn)
    return Outcome(controls, "counting how often the peak is in your box")


def _click(controls: Controls) -> Outcome:
    return Outcome(replace(controls, target=None), "box removed" if controls.target else None)


def _help_text(action: Action) -> str:
    return action.help


ACTIONS: Final = (
    Action("quit", ("q", "esc"), "quit (or Esc)", _quit),
    Action("freeze", ("space",), "freeze the image", _freeze),
    Action("snapshot", ("s",), "save a snapshot", _snapshot),
    Action("record", ("r",), "start or stop recording", _record),
    Action("mirror", ("m",), "mirror the image", _mirror),
    Action("stronger", ("+",), "stronger heatmap", partial(_change_alpha, ALPHA_STEP)),
    Action("weaker", ("-",), "weaker heatmap", partial(_change_alpha, -ALPHA_STEP)),
    Action("method", ("c",), "next method", _next_method),
    Action("grid", ("g",), "compare all methods", partial(_toggle_view, "grid")),
    Action("classes", ("x",), "compare classes", partial(_toggle_view, "classes")),
    Action("maps", ("k",), "strongest feature maps", partial(_toggle_view, "maps")),
    Action("next-map", ("right", "down"), "next feature map", partial(_move_focus, 1)),
    Action("last-map", ("left", "up"), "previous feature map", partial(_move_focus, -1)),
    Action("layout", ("l",), "overlay, heatmap, camera, split", _next_layout),
    *(
        Action(f"lock-{rank}", (str(rank),), "explain this top class", partial(_lock, rank - 1))
        for rank in range(1, TOP_K + 1)
    ),
    Action("follow", ("0",), "follow the top class", _follow_top),
    Action("type", ("/",), "type a class", begin_entry),
    Action("against", ("n",), "show evidence against it", partial(_toggle_evidence, AGAINST)),
    Action("versus", ("v",), "compare with the runner-up", partial(_toggle_evidence, VERSUS)),
    Action("check", ("f",), "check: hide the hottest region", _toggle_check),
    Action("randomise", ("w",), "randomise or restore the weights", _randomise),
    Action("box", ("b",), "box around the evidence", _toggle_box),
    Action("aim", ("drag",), "draw a box: is the peak inside?", _drag),
    Action("forget", ("click",), "remove the box", _click),
    Action("point", ("hover",), "enlarge a feature map", _hover),
    Action("bars", ("p",), "probability bars", _toggle_bars),
    Action("theme", ("t",), "dark, light or no glass", _next_theme),
    # Qt reports F as f, so there only F11 works.
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


def press(controls: Controls, key: str) -> Outcome:
    """Return the outcome of a key. Keys without an action change nothing."""
    if controls.entry is not None:
        return type_key(controls, key)
    action = _BY_KEY.get(key) or _BY_KEY.get(key.lower())
    return action.handler(controls) if action else Outcome(controls)


def point(controls: Controls, event: PointerEvent) -> Outcome:
    """Return the outcome of an event of the mouse."""
    controls = replace(controls, pointer=(event.x, event.y))
    if event.kind == PRESS:
        return Outcome(replace(controls, pressed=controls.pointer))
    if controls.pressed is None:
        return _BY_KEY["hover"].handler(controls)
    dragged = math.dist(controls.pressed, controls.pointer) >= _LEAST_DRAG
    gesture = "drag" if dragged else "click" if event.kind == RELEASE else None
    outcome = _BY_KEY[gesture].handler(controls) if gesture else Outcome(controls)
    if event.kind == RELEASE:
        return outcome._replace(controls=replace(outcome.controls, pressed=None))
    return outcome


def status_of(controls: Controls) -> Status:
    """Return the part of the status that follows from the controls."""
    help_card = KEY_HELP if controls.help else ()
    return Status(
        look=controls.look,
        locked=bool(controls.locked),
        focus=controls.focus,
        target=controls.target,
        frozen=controls.frozen,
        keys=help_card if controls.entry is None else entry_card(controls),
    )
