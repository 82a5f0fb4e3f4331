from __future__ import annotations

import pytest

from live_cam.live.actions import ACTIONS, KEY_HELP, press, status_of
from live_cam.live.controls import Controls
from live_cam.settings import THEMES, Settings


@pytest.mark.parametrize(
    ("key", "field", "first", "second"),
    [
        ("space", "frozen", True, False),
        ("h", "help", True, False),
        ("m", "mirror", True, False),
        ("r", "recording", True, False),
        ("q", "quit", True, True),
        ("esc", "quit", True, True),
        ("s", "snapshots", 1, 2),
    ],
)
def test_keys_change_their_state(key: str, field: str, first: object, second: object) -> None:
    controls = Controls()
    press(controls, key)
    assert getattr(controls, field) == first
    press(controls, key)
    assert getattr(controls, field) == second


def test_alpha_moves_in_steps_and_stays_in_range() -> None:
    controls = Controls()
    assert press(controls, "+") == "heatmap 50%"
    assert controls.alpha == pytest.approx(0.5)
    for _ in range(30):
        press(controls, "+")
    assert controls.alpha == 1.0
    for _ in range(30):
        press(controls, "-")
    assert controls.alpha == 0.0


def test_themes_take_turns() -> None:
    controls = Controls()
    assert [press(controls, "t") for _ in THEMES] == ["theme light", "no glass", "theme dark"]
    assert controls.theme == "dark"


def test_the_command_line_chooses_the_theme() -> None:
    assert Controls.of(Settings(theme="light")).theme == "light"


def test_other_keys_do_nothing() -> None:
    controls = Controls()
    assert press(controls, "z") is None
    assert controls == Controls()


def test_keys_say_what_they_did() -> None:
    controls = Controls()
    silent = {each.name for each in ACTIONS if each.handler(controls) is None}
    # A badge, the file's name, a card or the end say it by themselves.
    assert silent == {"quit", "freeze", "snapshot", "record", "help", "point", "forget"}


def test_what_the_image_shows_is_what_the_controls_say() -> None:
    controls = Controls(view="maps", locked=(3,), focus=2, box=True, bars=False, theme="light")
    status = status_of(controls)
    assert (status.view, status.locked, status.focus) == ("maps", True, 2)
    assert (status.box, status.bars, status.theme, status.keys) == (True, False, "light", ())
    press(controls, "h")
    assert status_of(controls).keys == KEY_HELP


def test_every_action_is_explained_and_no_key_is_taken_twice() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert [text for _, text in KEY_HELP] == list(dict.fromkeys(each.help for each in ACTIONS))
    assert ("1…5", "why this one of the top?") in KEY_HELP
