"""A monkey test: ten thousand random keys, and the mouse."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import torch

from live_cam.live.actions import ACTIONS
from tests.support import injecting, tiny
from tests.support.networks import randomised
from tests.support.program import read_log, read_video
from tests.support.session import WINDOW_MANAGER, Session, desktop, needs_a_desktop

SEED = int(os.environ.get("MONKEY_SEED", random.SystemRandom().randrange(10**6)))
KEYS = 10_000
AT_ONCE = 200
PROGRAM = (str(Path(injecting.__file__)), "nothing")
SYMBOLS = {
    "+": "plus",
    "-": "minus",
    "/": "slash",
    "?": "question",
    "enter": "Return",
    "esc": "Escape",
    "left": "Left",
    "right": "Right",
    "tab": "Tab",
    "backspace": "BackSpace",
    "delete": "Delete",
    "f11": "F11",
    "space": "space",
}
"""X's names for keys that the program calls differently."""


def all_keys() -> list[str]:
    """Every key except those that quit, some several times, and some with modifiers."""
    known = [key for action in ACTIONS if action.name != "quit" for key in action.keys]
    known = [SYMBOLS.get(key, key) for key in known if key not in ("drag", "click", "hover")]
    letters = list("abcdefghijklmnoprstuvwxyz0123456789")
    functions = [f"F{number}" for number in range(1, 13)]
    rest = ["Left", "Right", "Up", "Down", "Home", "End", "Prior", "Next", "Insert", "Delete"]
    rest += ["BackSpace", "Return", "Return", "Tab", "eacute", "Greek_alpha", "KP_Add", "KP_5"]
    rest += ["Shift_L", "Control_L", "Caps_Lock", "Num_Lock", "Menu"]
    modified = [f"{held}+{key}" for held in ("shift", "ctrl") for key in "acdfhmrstvwxz/"]
    modified = [key.replace("/", "slash") for key in modified]
    return [*known, *known, *letters, *functions, *rest, *modified]


def use_the_mouse(session: Session, chance: random.Random) -> None:
    words: list[str] = []
    for _ in range(8):
        place = [str(chance.randrange(400)), str(chance.randrange(300))]
        words += ["mousemove", "--window", session.window, *place]
        words += chance.choice(
            [
                ["click", "1"],
                ["click", "--repeat", "3", "1"],
                ["mousedown", "1"],
                ["mouseup", "1"],
                ["click", "4"],
                ["click", "5"],
                [],
            ]
        )
    session.xdotool(*words, "mouseup", "1")


def resize_or_move_the_window(session: Session, chance: random.Random) -> None:
    number = session.window
    sizes = [(1, 1), (40, 900), (1600, 1000), (320, 240), (701, 333), (3000, 20)]
    acts = [["windowsize", number, *map(str, chance.choice(sizes))] for _ in range(3)]
    acts.append(["windowmove", number, *(str(chance.randrange(300)) for _ in range(2))])
    if WINDOW_MANAGER:
        acts.append(["windowminimize", number])
    for act in chance.sample(acts, 2):
        session.xdotool(*act)


@needs_a_desktop
def test_ten_thousand_random_keys_and_clicks_do_no_harm(
    tmp_path: Path,
) -> None:
    print(f"MONKEY_SEED={SEED}")  # noqa: T201  # pytest shows it on failure
    chance = random.Random(SEED)
    weights = tmp_path / "tiny.pth"
    torch.save(randomised(tiny.tiny()).state_dict(), weights)
    source = ("--source", "demo", "--camera-size", "320x240")
    network = ("--model", tiny.NAME, "--weights", weights, "--engine", "hook")
    keys = all_keys()

    with desktop(tmp_path, *source, *network, program=PROGRAM) as session:
        # Record explicitly: a random r may be typed into a class name or hit a frozen image.
        session.press("r")
        session.wait(lambda: any(path.stat().st_size for path in tmp_path.glob("*.mp4")))
        for _ in range(KEYS // AT_ONCE):
            # A click beside the window, or minimising it, may have taken the keyboard focus.
            session.xdotool("windowactivate" if WINDOW_MANAGER else "windowfocus", session.window)
            pressed = chance.choices(keys, k=AT_ONCE)
            session.xdotool("key", "--delay", "2", *pressed)
            use_the_mouse(session, chance)
            if chance.random() < 0.3:
                resize_or_move_the_window(session, chance)
            assert session.process.poll() is None, "the program has ended"
        alive = session.explained()
        # The keys may have left it in text entry or frozen.
        session.xdotool("key", "--delay", "300", "BackSpace")
        session.close_window()
        errors = session.ended()
    assert session.process.returncode == 0, errors
    assert "Traceback" not in errors
    assert alive > 0
    assert read_log(tmp_path / "p.jsonl")
    recorded = re.findall(r"recorded (\S+): (\d+) image", errors)
    for name, count in recorded:
        assert len(read_video(tmp_path / name)) == int(count), name
    kept = {path.name for path in tmp_path.glob("*.mp4")}
    assert kept == {name for name, _ in recorded}
    assert recorded
