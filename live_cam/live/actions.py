"""Everything that a key or the mouse does: the table of actions.

A handler is a function from the controls to new ones, so that any front end can offer the same
actions; the live loop alone acts on them.
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
from live_cam.question import AGAINST, FOR, VERSUS
from live_cam.settings import METHODS, TOP_K

if TYPE_CHECKING:
    from collections.abc import Callable

    from live_cam.live.pointing import PointerEvent
    from live_cam.look import View
    from live_cam.question import EvidenceKind

_LEAST_DRAG: Final = 0.01
"""Of the image's sides: a shorter movement of the mouse is a click."""
_LAYOUTS: Final[tuple[View, ...]] = ("overlay", "heatmap", "camera", "split")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key does."""

    name: str
    """A word for scripts and other front ends."""
    keys: tuple[str, ...]
    """Names of the keys, as `Window.poll` returns them, or of what the mouse does: `drag`, `click`
    or `hover`. The first one is shown."""
    help: str
    """What it does, for the help card and the README."""
    handler: Callable[[Controls], Outcome]


def _quit(controls: Controls) -> Outcome:
    return Outcome(replace(controls, quit=True))


def _freeze(controls: Controls) -> Outcome:
    frozen = not controls.frozen
    return Outcome(replace(controls, frozen=frozen), None if frozen else "live again")


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
        AGAINST: "red speaks for the class, blue against it",
        VERSUS: "red speaks for the class, blue for its rival",
    }[shown]
    return Outcome(replace(controls, evidence=shown), confirmation)


def _lock(rank: int, controls: Controls) -> Outcome:
    if rank >= len(controls.top):
        return Outcome(controls, "no class in that place yet")
    chosen = controls.top[rank]
    if controls.look.view != "classes" or not controls.locked:
        locked: tuple[int, ...] = (chosen.class_index,)
    elif chosen.class_index in controls.locked:
        locked = tuple(each for each in controls.locked if each != chosen.class_index)
        return Outcome(replace(controls, locked=locked), f"without {chosen.label}")
    else:
        locked = (*controls.locked, chosen.class_index)
    return Outcome(replace(controls, locked=locked), f"why {chosen.label}?")


def _follow_top(controls: Controls) -> Outcome:
    return Outcome(replace(controls, locked=()), "the top class again")


def _toggle_check(controls: Controls) -> Outcome:
    check = not controls.check
    confirmation = "would it still say so?" if check else "no more checks"
    return Outcome(replace(controls, check=check), confirmation)


def _randomise(controls: Controls) -> Outcome:
    randomised = not controls.randomised
    confirmation = "randomising the weights, last layer first" if randomised else "its own weights"
    return Outcome(replace(controls, randomised=randomised), confirmation)


def _toggle_box(controls: Controls) -> Outcome:
    box = not controls.look.box
    return Outcome(controls.with_look(box=box), "box" if box else "no box")


def _toggle_bars(controls: Controls) -> Outcome:
    bars = not controls.look.bars
    return Outcome(controls.with_look(bars=bars), "bars" if bars else "no bars")


def _next_theme(controls: Controls) -> Outcome:
    place = THEMES.index(controls.look.theme) + 1
    theme = THEMES[place % len(THEMES)]
    confirmation = "no glass" if theme == "none" else f"theme {theme}"
    return Outcome(controls.with_look(theme=theme), confirmation)


def _full_screen(controls: Controls) -> Outcome:
    full_screen = not controls.full_screen
    confirmation = "full screen" if full_screen else "in a window"
    return Outcome(replace(controls, full_screen=full_screen), confirmation)


def _move_focus(step: int, controls: Controls) -> Outcome:
    if controls.look.view != "maps":
        return Outcome(controls, "k shows the feature maps")
    if not controls.panes:
        return Outcome(controls, "the feature maps are on their way")
    place = step - 1 if controls.focus is None and step > 0 else (controls.focus or 0) + step
    if not 0 <= place < len(controls.panes):
        return Outcome(replace(controls, focus=None), "all feature maps together")
    confirmation = f"feature map {place + 1} of {len(controls.panes)}"
    return Outcome(replace(controls, focus=place), confirmation)


def _hover(controls: Controls) -> Outcome:
    if controls.look.view != "maps":
        return Outcome(controls)
    under = (place for place, pane in enumerate(controls.panes) if pane.contains(*controls.pointer))
    return Outcome(replace(controls, focus=next(under, None)))


def _drag(controls: Controls) -> Outcome:
    if controls.look.view not in FULL_FRAME_VIEWS:
        return Outcome(controls, f"a box can be drawn in the views {', '.join(FULL_FRAME_VIEWS)}")
    if controls.pressed:
        drawn = Region.between(controls.pressed, controls.pointer)
        controls = replace(controls, target=drawn.mirrored() if controls.look.mirror else drawn)
    return Outcome(controls, "how often is the peak in your box?")


def _click(controls: Controls) -> Outcome:
    return Outcome(replace(controls, target=None), "no box to hit" if controls.target else None)


def _help_text(action: Action) -> str:
    return action.help


ACTIONS: Final = (
    Action("quit", ("q", "esc"), "quit (or Esc)", _quit),
    Action("freeze", ("space",), "freeze the image", _freeze),
    Action("snapshot", ("s",), "save a snapshot", _snapshot),
    Action("record", ("r",), "start or stop a recording", _record),
    Action("mirror", ("m",), "mirror the image", _mirror),
    Action("stronger", ("+",), "stronger heatmap", partial(_change_alpha, ALPHA_STEP)),
    Action("weaker", ("-",), "weaker heatmap", partial(_change_alpha, -ALPHA_STEP)),
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
    Action("type", ("/",), "type a class", begin_entry),
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


def press(controls: Controls, key: str) -> Outcome:
    """Return what a key leads to; keys without an action change nothing."""
    if controls.entry is not None:
        return type_key(controls, key)
    action = _BY_KEY.get(key) or _BY_KEY.get(key.lower())
    return action.handler(controls) if action else Outcome(controls)


def point(controls: Controls, event: PointerEvent) -> Outcome:
    """Return what the mouse leads to."""
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
    """Return what the image shows of the controls; the figures of the run are missing."""
    help_card = KEY_HELP if controls.help else ()
    return Status(
        look=controls.look,
        locked=bool(controls.locked),
        focus=controls.focus,
        target=controls.target,
        frozen=controls.frozen,
        keys=help_card if controls.entry is None else entry_card(controls),
    )
