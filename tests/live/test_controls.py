from __future__ import annotations

from operator import attrgetter

import pytest

from live_cam.live.actions import ACTIONS, KEY_HELP, press, status_of
from live_cam.live.controls import Controls, Outcome
from live_cam.look import THEMES, Look
from live_cam.settings import Settings


@pytest.mark.parametrize(
    ("key", "field", "first", "second"),
    [
        ("space", "frozen", True, False),
        ("h", "help", True, False),
        ("m", "look.mirror", True, False),
        ("r", "recording", True, False),
        ("q", "quit", True, True),
        ("esc", "quit", True, True),
        ("s", "snapshots", 1, 2),
    ],
)
def test_keys_change_their_state(key: str, field: str, first: object, second: object) -> None:
    value = attrgetter(field)
    controls, _ = press(Controls(), key)
    assert value(controls) == first
    controls, _ = press(controls, key)
    assert value(controls) == second


def test_alpha_moves_in_steps_and_stays_in_range() -> None:
    controls, confirmation = press(Controls(), "+")
    assert confirmation == "heatmap 50%"
    assert controls.look.alpha == pytest.approx(0.5)
    for _ in range(30):
        controls, _ = press(controls, "+")
    assert controls.look.alpha == 1.0
    for _ in range(30):
        controls, _ = press(controls, "-")
    assert controls.look.alpha == 0.0


def test_a_key_cycles_through_the_themes() -> None:
    controls = Controls()
    confirmations = []
    for _ in THEMES:
        controls, confirmation = press(controls, "t")
        confirmations.append(confirmation)
    assert confirmations == ["theme light", "no glass", "theme dark"]
    assert controls.look.theme == "dark"


def test_the_command_line_chooses_the_theme() -> None:
    assert Controls.of(Settings(theme="light")).look.theme == "light"


def test_other_keys_do_nothing() -> None:
    assert press(Controls(), "z") == Outcome(Controls())


def test_keys_are_confirmed_unless_their_effect_shows() -> None:
    controls = Controls()
    silent = set()
    for action in ACTIONS:
        controls, confirmation = action.handler(controls)
        if confirmation is None:
            silent.add(action.name)
    # A badge, the file's name, a card or the end of the run shows their effect.
    assert silent == {"quit", "freeze", "snapshot", "record", "help", "point", "forget"}


def test_the_status_reflects_the_controls() -> None:
    look = Look(view="maps", box=True, bars=False, theme="light")
    controls = Controls(look=look, locked=(3,), focus=2)
    status = status_of(controls)
    assert (status.look, status.locked, status.focus, status.keys) == (look, True, 2, ())
    controls, _ = press(controls, "h")
    assert status_of(controls).keys == KEY_HELP


def test_every_action_has_a_help_text_and_every_key_one_action() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert [text for _, text in KEY_HELP] == list(dict.fromkeys(each.help for each in ACTIONS))
    assert ("1…5", "explain this top class") in KEY_HELP
