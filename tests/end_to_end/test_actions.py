"""Every action, with real keys and a real mouse, on a network that recognises colours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from live_cam.live.actions import ACTIONS
from live_cam.overlay.theme import THEMES
from live_cam.runtime.opencv import cv2
from tests.support.program import read_video
from tests.support.session import WINDOW_MANAGER, Session, desktop, needs_a_desktop

pytestmark = needs_a_desktop

Image = NDArray[np.uint8]
Check = Callable[[Session], None]
ALPHA = 0.45
DARK = THEMES["dark"]
RED_PATCH, GREEN_PATCH, GREY = (170, 240), (480, 240), (340, 380)
_CHECKS: dict[str, Check] = {}


def two_colours() -> Image:
    """A large red patch on the left, a smaller green one on the right."""
    image = np.full((480, 640, 3), 128, np.uint8)
    image[150:330, 80:260] = (0, 0, 255)
    image[180:300, 420:540] = (0, 255, 0)
    return image


@pytest.fixture(scope="module")
def session(colour_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("actions")
    cv2.imwrite(str(folder / "colours.png"), two_colours())
    arguments = ("--source", "colours.png", "--weights", colour_weights, "--no-bars")
    with desktop(folder, *arguments, "--engine", "hook", "--alpha", str(ALPHA)) as running:
        running.until(lambda drawn: hot(drawn, RED_PATCH))
        yield running


def laid_over(drawn: Image, place: tuple[int, int]) -> tuple[int, int]:
    """How much blue and red the heatmap adds at a position."""
    x, y = place
    colours = drawn[y, x].astype(int) - (1 - ALPHA) * two_colours()[y, x]
    return round(colours[0]), round(colours[2])


def hot(drawn: Image, place: tuple[int, int]) -> bool:
    blue, red = laid_over(drawn, place)
    return red > blue + 20


def count(drawn: Image, colour: tuple[int, int, int], top: int = 110) -> int:
    """How many pixels between the label's card and the status strip have exactly this colour."""
    return int((drawn[top:400] == colour).all(axis=-1).sum())


def changed(before: Image, rows: slice, columns: slice) -> Callable[[Image], bool]:
    def differs(drawn: Image) -> bool:
        return bool(cv2.absdiff(drawn[rows, columns], before[rows, columns]).max() > 40)

    return differs


def unchanged(before: Image) -> Callable[[Image], bool]:
    """The image is as before, except the rates and confirmations at the bottom."""

    def same(drawn: Image) -> bool:
        return bool(cv2.absdiff(drawn[:380], before[:380]).max() < 12)

    return same


WHOLE, LABEL = slice(None), slice(0, 130)


def shows(*names: str) -> Callable[[Check], Check]:
    """Register a check for some actions."""

    def register(check: Check) -> Check:
        _CHECKS.update(dict.fromkeys(names, check))
        return check

    return register


def toggled(session: Session, key: str, reached: Callable[[Image], bool]) -> None:
    """A key causes a change, and pressed again undoes it."""
    before = session.snapshot()
    assert not reached(before)
    session.press(key)
    session.until(reached)
    session.press(key)
    session.until(unchanged(before))


@shows("freeze")
def freeze(session: Session) -> None:
    badges = slice(0, 60), slice(480, 640)
    toggled(session, "space", changed(session.snapshot(), *badges))


@shows("snapshot")
def snapshot(session: Session) -> None:
    assert session.snapshot().shape == (480, 640, 3)


@shows("record")
def record(session: Session) -> None:
    session.press("r")
    session.wait(lambda: bool(list(session.folder.glob("live-cam-*.mp4"))))
    time.sleep(1.0)
    session.press("r")
    (recording,) = session.folder.glob("live-cam-*.mp4")
    assert len(read_video(recording)) >= 1


@shows("mirror")
def mirror(session: Session) -> None:
    def mirrored(drawn: Image) -> bool:
        x, y = RED_PATCH
        return int(drawn[y, 639 - x, 2]) > 150 and int(drawn[y, x, 1]) < 150

    toggled(session, "m", lambda drawn: hot(drawn[:, ::-1], RED_PATCH) and mirrored(drawn))


@shows("stronger", "weaker")
def strength(session: Session) -> None:
    def blue(drawn: Image) -> int:
        return int(drawn[GREY[1], GREY[0], 0]) - int(drawn[GREY[1], GREY[0], 2])

    before = session.snapshot()
    session.press("plus", "plus")
    session.until(lambda drawn: blue(drawn) > blue(before) + 5)
    session.press("minus", "minus", "minus", "minus")
    session.until(lambda drawn: blue(drawn) < blue(before) - 5)
    session.press("plus", "plus")
    session.until(unchanged(before))


@shows("method")
def method(session: Session) -> None:
    before = session.snapshot()
    session.press("c")
    session.until(changed(before, LABEL, slice(0, 300)))  # the label's card names the method
    session.press(*"ccccccc")
    session.until(unchanged(before))


@shows("grid", "classes", "maps")
def mosaics(session: Session) -> None:
    for key in "gxk":
        toggled(session, key, lambda drawn: count(drawn, DARK.glass) > 2000)


@shows("next-map", "last-map", "point")
def single_maps(session: Session) -> None:
    before = session.snapshot()
    session.press("k")
    session.until(lambda drawn: count(drawn, DARK.glass) > 25000)  # the gaps between many panes
    assert not count(session.snapshot(), DARK.accent, top=0)
    session.press("Right", "Right")
    session.until(lambda drawn: count(drawn, DARK.accent, top=0) > 50)
    session.press("Left", "Left")
    session.until(lambda drawn: not count(drawn, DARK.accent, top=0))
    session.move(480, 200)
    session.until(lambda drawn: count(drawn, DARK.accent, top=0) > 50)
    session.move(100, 440)
    session.until(lambda drawn: not count(drawn, DARK.accent, top=0))
    session.press("k")
    session.until(unchanged(before))


@shows("layout")
def layout(session: Session) -> None:
    before = session.snapshot()
    session.press("l")
    session.until(lambda drawn: int(drawn[GREY[1], GREY[0], 1]) < 20)  # only the heatmap's colours
    session.press("l")
    session.until(lambda drawn: bool((drawn[140:340] == two_colours()[140:340]).all()))
    session.press("l")
    session.until(lambda drawn: count(drawn, DARK.glass) > 2000)
    session.press("l")
    session.until(unchanged(before))


@shows("lock-1", "lock-2", "lock-3", "lock-4", "lock-5", "follow")
def locks(session: Session) -> None:
    before = session.snapshot()
    session.press("2")
    session.until(lambda drawn: hot(drawn, GREEN_PATCH) and not hot(drawn, RED_PATCH))
    session.press("1")
    session.until(lambda drawn: hot(drawn, RED_PATCH) and not hot(drawn, GREEN_PATCH))
    for key in "345":
        session.press(key)
        session.until(lambda drawn: not hot(drawn, RED_PATCH) and not hot(drawn, GREEN_PATCH))
    session.press("0")
    session.until(unchanged(before))


@shows("type")
def type_a_class(session: Session) -> None:
    before = session.snapshot()
    session.press("slash", *"grannq", "BackSpace", "y", "Return")
    session.until(lambda drawn: hot(drawn, GREEN_PATCH) and not hot(drawn, RED_PATCH))
    session.press("0")
    session.until(unchanged(before))


@shows("against", "versus")
def counterfactual(session: Session) -> None:
    def neutral(drawn: Image) -> bool:
        blue, red = laid_over(drawn, GREY)
        return abs(red - blue) < 25

    toggled(session, "n", lambda drawn: neutral(drawn) and hot(drawn, RED_PATCH))

    def rival_is_blue(drawn: Image) -> bool:
        blue, red = laid_over(drawn, GREEN_PATCH)
        return neutral(drawn) and hot(drawn, RED_PATCH) and blue > red + 15

    toggled(session, "v", rival_is_blue)


@shows("check")
def check(session: Session) -> None:
    toggled(session, "f", changed(session.snapshot(), LABEL, slice(0, 300)))


@shows("randomise")
def randomise(session: Session) -> None:
    toggled(session, "w", lambda drawn: not hot(drawn, RED_PATCH))


@shows("box")
def box(session: Session) -> None:
    toggled(session, "b", lambda drawn: count(drawn, DARK.accent) > 100)


@shows("aim", "forget")
def aim(session: Session) -> None:
    before = session.snapshot()
    session.move(60, 130)
    session.xdotool("mousedown", "1")
    session.move(150, 200)
    session.move(280, 350)
    session.xdotool("mouseup", "1")
    session.until(lambda drawn: count(drawn, DARK.ink) > 300 and count(drawn, DARK.accent) > 3)
    session.move(400, 400)
    session.xdotool("click", "1")
    session.until(unchanged(before))


@shows("theme")
def theme(session: Session) -> None:
    """Lighter glass under the label, then none, then dark again."""

    def glass(drawn: Image) -> int:
        return int(drawn[12:60, 20:240].min(axis=-1).mean())

    before = session.snapshot()
    session.press("t")
    session.until(lambda drawn: glass(drawn) > 150)
    session.press("t")
    session.until(lambda drawn: glass(before) < glass(drawn) < 150)
    session.press("t")
    session.until(unchanged(before))


@shows("bars")
def bars(session: Session) -> None:
    toggled(session, "p", changed(session.snapshot(), slice(110, 200), slice(20, 120)))


@shows("full-screen")
def full_screen(session: Session) -> None:
    if WINDOW_MANAGER is None:
        pytest.skip("openbox is not installed, and full screen needs a window manager")
    assert session.size() == (640, 480)
    session.press("F11")
    session.wait(lambda: session.size() == (1600, 1000))
    session.press("F11")
    session.wait(lambda: session.size() == (640, 480))


@shows("help")
def key_help(session: Session) -> None:
    toggled(session, "h", changed(session.snapshot(), slice(200, 280), slice(280, 360)))


@shows("quit")
def quit_program(session: Session) -> None:
    errors = session.end("q")
    assert session.process.returncode == 0, errors
    assert "Traceback" not in errors


def test_every_action_has_a_check() -> None:
    assert set(_CHECKS) == {action.name for action in ACTIONS}


@pytest.mark.parametrize("check", dict.fromkeys(_CHECKS.values()), ids=lambda check: check.__name__)
def test_each_action_does_what_the_help_says(session: Session, check: Check) -> None:
    check(session)
