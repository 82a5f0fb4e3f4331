"""The window: keys, closing, and a clear sentence if none can be opened.

Real windows open on a virtual display, in processes of their own: Qt ends the process where
something is wrong with the display.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from live_cam.errors import WindowError
from live_cam.live import display as display_module
from live_cam.live.window import Window, display_problem, key_name
from live_cam.runtime.opencv import cv2
from tests.support.display import lines, virtual_display

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    with virtual_display() as name:
        yield name


class TestRealWindow:
    def test_keys_have_names(self, display: str) -> None:
        keys = {
            "q": "q",
            "Q": "q",
            "space": "space",
            "Escape": "esc",
            "plus": "+",
            "equal": "+",
            "minus": "-",
            "underscore": "-",
            "KP_Add": "+",
            "KP_Subtract": "-",
            "Return": "enter",
            "KP_Enter": "enter",
            "Tab": "tab",
            "BackSpace": "backspace",
            "Delete": "delete",
            "Left": "left",
            "alt+s": "s",
            "7": "7",
            "KP_1": "1",
            "question": "?",
        }
        script = f"""
            with Window() as window:
                focus(window)
                print(*press(window, *{list(keys)!r}), sep="\\n")
        """
        assert lines(script, DISPLAY=display) == list(keys.values())

    def test_caps_lock_makes_no_difference(self, display: str) -> None:
        script = """
            with Window() as window:
                focus(window)
                xdotool("key", "Caps_Lock")
                print(*press(window, "m"))
                xdotool("key", "Caps_Lock")
                print(*press(window, "m"))
        """
        assert lines(script, DISPLAY=display) == ["m", "m"]

    def test_keys_without_a_name_are_none(self, display: str) -> None:
        script = """
            with Window() as window:
                focus(window)
                xdotool("key", "Shift_L", "F5", "eacute")
                print({window.poll(20) for _ in range(20)})
        """
        assert lines(script, DISPLAY=display) == ["{None}"]

    def test_polling_without_a_key_returns(self, display: str) -> None:
        script = """
            with Window() as window:
                print(window.poll(), window.poll(0), window.closed)
        """
        assert lines(script, DISPLAY=display) == ["None None False"]

    def test_detects_that_the_user_closed_it(self, display: str) -> None:
        script = """
            with Window() as window:
                number = focus(window)
                print(window.closed, visible_windows() == [str(number)])
                ask_to_close(number)
                deadline = time.monotonic() + 5
                while not window.closed and time.monotonic() < deadline:
                    window.poll(20)
                print(window.closed)
                window.show(IMAGE)
                print(window.poll(20), window.closed)
                print(visible_windows())
        """
        assert lines(script, DISPLAY=display) == ["False True", "True", "None True", "[]"]

    def test_close_removes_it_from_the_screen(self, display: str) -> None:
        script = """
            window = Window()
            focus(window)
            window.close()
            window.close()
            window.show(IMAGE)
            print(window.closed, window.poll())
            print(visible_windows())
            with Window("another") as window:
                focus(window, "another")
                print(window.closed)
        """
        assert lines(script, DISPLAY=display) == ["True None", "[]", "False"]

    @pytest.mark.parametrize(
        ("size", "shown"),
        [((320, 240), "320 240"), ((1920, 1080), "1280 720"), ((1200, 1600), "600 800")],
    )
    def test_fits_the_image_and_the_screen(
        self, display: str, size: tuple[int, int], shown: str
    ) -> None:
        script = f"""
            with Window() as window:
                window.show(np.zeros(({size[1]}, {size[0]}, 3), np.uint8))
                for _ in range(20):
                    window.poll(5)
                print(*cv2.getWindowImageRect("live-cam")[2:])
                window.show(IMAGE)
                for _ in range(20):
                    window.poll(5)
                print(*cv2.getWindowImageRect("live-cam")[2:])
        """
        assert lines(script, DISPLAY=display) == [shown, shown]

    def test_mouse_events_are_in_shares_of_the_image(self, display: str) -> None:
        script = """
            with Window() as window:
                number = str(focus(window))
                for size in ((320, 240), (640, 480), (900, 480)):
                    cv2.resizeWindow("live-cam", *size)
                    settle(window)
                    left = (size[0] - size[1] * 4 // 3) // 2  # the image is in the middle
                    place = left + (size[0] - 2 * left) // 4, size[1] // 2
                    xdotool("mousemove", "--window", number, "--sync", *map(str, place))
                    settle(window)
                    window.pointer_events()
                    xdotool("mousedown", "1")
                    xdotool("mousemove_relative", "--sync", str(size[1] // 3), "0")
                    xdotool("mouseup", "1")
                    settle(window)
                    events = [each for each in window.pointer_events()]
                    kinds = list(dict.fromkeys(each.kind for each in events))
                    print(*kinds, *(f"{each:.2f}" for each in events[0][1:] + events[-1][1:]))
        """
        assert lines(script, DISPLAY=display) == ["press move release 0.25 0.50 0.50 0.50"] * 3

    def test_wheel_and_mouse_print_nothing(self, display: str) -> None:
        script = """
            with Window() as window:
                focus(window)
                xdotool("mousemove", "100", "100", "click", "1", "click", "4", "click", "3")
                settle(window)
                print(window.closed)
        """
        environment = dict.fromkeys(("QT_LOGGING_RULES", "XDG_RUNTIME_DIR", "OPENCV_LOG_LEVEL"))
        assert lines(script, DISPLAY=display, **environment) == ["False"]

    def test_opens_although_wayland_is_set_for_all_programs(self, display: str) -> None:
        script = """
            with Window() as window:
                settle(window)
                print(window.closed)
        """
        environment = {"QT_QPA_PLATFORM": "wayland", "XDG_SESSION_TYPE": "wayland"}
        assert lines(script, DISPLAY=display, **environment) == ["False"]

    def test_checking_does_not_disturb_the_display(self, display: str) -> None:
        # A virtual display restarts whenever its last client leaves.
        script = """
            for _ in range(5):
                print(display_problem())
                with Window() as window:
                    settle(window)
                    print(window.closed)
        """
        assert lines(script, DISPLAY=display) == ["None", "False"] * 5


OPEN = """
    try:
        Window()
    except WindowError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has DISPLAY")
class TestNoDisplay:
    def test_display_is_not_set(self) -> None:
        (sentence,) = lines(OPEN, DISPLAY=None, WAYLAND_DISPLAY=None)
        assert "DISPLAY is not set" in sentence
        assert "`headless`" in sentence

    def test_wayland_without_xwayland(self) -> None:
        (sentence,) = lines(OPEN, DISPLAY=None, WAYLAND_DISPLAY="wayland-0")
        assert "Wayland session lacks XWayland" in sentence
        assert "`headless`" in sentence

    @pytest.mark.parametrize(
        "name", [":4711", ":4711.0", "localhost:711", "unix:4711", ":99999", "x"]
    )
    def test_no_display_answers(self, name: str) -> None:
        (sentence,) = lines(OPEN, DISPLAY=name)
        assert f"no display answers at DISPLAY={name};" in sentence
        assert "`headless`" in sentence

    def test_the_check_gives_the_same_reason(self) -> None:
        reason, sentence = lines(
            f"print(display_problem()){textwrap.dedent(OPEN)}", DISPLAY=":4711"
        )
        assert reason in sentence

    def test_a_display_that_requires_a_key(self, tmp_path: Path) -> None:
        name, key = b"MIT-MAGIC-COOKIE-1", bytes(range(16))
        fields = (b"", b"", name, key)
        entry = struct.pack(">H", 0xFFFF) + b"".join(struct.pack(">H", len(f)) + f for f in fields)
        keys = tmp_path / "keys"
        keys.write_bytes(entry)
        with virtual_display("-auth", str(keys)) as display:
            (sentence,) = lines(OPEN, DISPLAY=display, XAUTHORITY=os.devnull)
            assert f"DISPLAY={display} accepts only the user of the desktop" in sentence
            assert lines("print(display_problem())", DISPLAY=display, XAUTHORITY=str(keys)) == [
                "None"
            ]


class TestDisplayProblem:
    def test_headless_opencv_names_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "")
        monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:          NONE\n  VTK: NO")
        with pytest.raises(
            WindowError, match=r"pip uninstall -y opencv-python-headless.*`headless`"
        ):
            Window()

    @pytest.mark.parametrize("platform", ["darwin", "win32"])
    def test_macos_and_windows_need_no_display(
        self, monkeypatch: pytest.MonkeyPatch, platform: str
    ) -> None:
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "COCOA")
        assert display_problem() is None

    @pytest.mark.parametrize(
        ("bundled", "wanted", "left"),
        [
            ({"xcb"}, "wayland", None),
            ({"xcb"}, "wayland;xcb", "wayland;xcb"),
            ({"xcb"}, "xcb:fontengine=freetype", "xcb:fontengine=freetype"),
            (set(), "wayland", "wayland"),
        ],
    )
    def test_a_qt_platform_is_overridden_only_if_the_wheel_lacks_it(
        self, monkeypatch: pytest.MonkeyPatch, bundled: set[str], wanted: str, left: str | None
    ) -> None:
        monkeypatch.setattr(display_module, "_bundled_platforms", lambda: bundled)
        monkeypatch.setenv("QT_QPA_PLATFORM", wanted)
        display_module.prefer_bundled_platform()
        assert os.environ.get("QT_QPA_PLATFORM") == left


class FakeWindows:
    """OpenCV's windows as in a build without Qt, with the properties that it reports."""

    def __init__(self, visible: float, autosize: float) -> None:
        self.properties = {cv2.WND_PROP_VISIBLE: visible, cv2.WND_PROP_AUTOSIZE: autosize}
        self.fails = False
        self.calls: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("namedWindow", "resizeWindow", "imshow", "destroyWindow"):
            monkeypatch.setattr(cv2, name, lambda *_, name=name: self.calls.append(name))
        monkeypatch.setattr(cv2, "setMouseCallback", lambda *_: None)
        monkeypatch.setattr(cv2, "waitKeyEx", lambda _: ord("q"))
        monkeypatch.setattr(cv2, "getWindowProperty", self.get)
        monkeypatch.setattr(cv2, "currentUIFramework", lambda: "GTK3")
        monkeypatch.setattr(sys, "platform", "darwin")

    def get(self, _title: str, name: int) -> float:
        if self.fails:
            raise cv2.error("no such window")
        return self.properties[name]


IMAGE = np.zeros((9, 9, 3), np.uint8)


class TestClosed:
    @pytest.mark.parametrize(
        ("opened", "gone"),
        [
            pytest.param((1.0, 0.0), (0.0, 0.0), id="hidden"),
            pytest.param((1.0, 0.0), (-1.0, -1.0), id="destroyed"),
            pytest.param((-1.0, 0.0), (-1.0, -1.0), id="GTK, which never says visible"),
            pytest.param((1.0, -1.0), (0.0, -1.0), id="Cocoa, which never says autosize"),
        ],
    )
    def test_open_and_closed_windows_are_told_apart(
        self,
        monkeypatch: pytest.MonkeyPatch,
        opened: tuple[float, float],
        gone: tuple[float, float],
    ) -> None:
        fake = FakeWindows(*opened)
        fake.install(monkeypatch)
        window = Window()
        for _ in range(3):
            window.show(IMAGE)
            assert window.poll() == "q"
            assert not window.closed
        fake.properties = dict(zip(fake.properties, gone, strict=True))
        fake.calls.clear()
        assert window.closed
        window.show(IMAGE)
        assert window.poll() is None
        window.close()
        assert fake.calls == []

    def test_an_error_means_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = FakeWindows(1.0, 0.0)
        fake.install(monkeypatch)
        window = Window()
        fake.fails = True
        assert window.closed
        fake.fails = False
        assert window.closed  # for good

    def test_the_with_statement_closes_it_after_an_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = FakeWindows(1.0, 0.0)
        fake.install(monkeypatch)
        with pytest.raises(RuntimeError, match="stop"), Window():
            raise RuntimeError("stop")
        assert fake.calls == ["namedWindow", "destroyWindow"]

    def test_an_error_while_opening_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise cv2.error("Can't initialize GTK backend")

        FakeWindows(1.0, 0.0).install(monkeypatch)
        monkeypatch.setattr(cv2, "namedWindow", refuse)
        with pytest.raises(WindowError, match=r"Can't initialize GTK backend.*`headless`"):
            Window()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-1, None),
        (0, None),
        (ord("q"), "q"),
        (ord("F"), "F"),
        (ord("Q") | 0x10000, "Q"),  # GTK adds the modifiers above
        (0xFF51, "left"),  # whose lower eight bits are a Q
        (0xFFE1, None),  # shift alone
        (0xFFAB, "+"),
        (0xFFB7, "7"),
        (0xE9, None),
        (27, "esc"),
        (0xFFC8, "f11"),
        (0x250000, "left"),  # Windows' virtual keys
        (0x7A0000, "f11"),
        (0x230000, None),
        (0xF702, "left"),  # Cocoa's
    ],
)
def test_key_name(code: int, name: str | None) -> None:
    assert key_name(code) == name
