"""The window: shows images, returns pressed keys, and detects when it is closed.

OpenCV's windows belong to the main thread; macOS kills programs that use them in another one.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from live_cam.errors import WindowError
from live_cam.live.display import connected_display, display_problem, prefer_bundled_platform
from live_cam.live.pointing import MOVE, PRESS, RELEASE, PointerEvent
from live_cam.runtime.closing import Closing
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from live_cam.live.pointing import PointerKind

__all__ = ["Window", "display_problem", "key_name"]

_MAX_SIZE: Final = (1280, 800)
"""Pixels. A window of this size fits on any common screen, title bar and panels included."""

_SIGNS_OF_LIFE: Final = {cv2.WND_PROP_VISIBLE: 1.0, cv2.WND_PROP_AUTOSIZE: 0.0}
"""The least value of each property while the window exists, in builds that support it."""

_KEY_NAMES: Final = {
    0x08: "backspace",
    0x09: "tab",
    0x0A: "enter",
    0x0D: "enter",
    0x1B: "esc",
    0x20: "space",
    0x7F: "delete",
    ord("="): "+",  # the same key as + on most layouts, without shift
    ord("_"): "-",
    # X11's key symbols, from the cursor keys and the keypad
    0xFF51: "left",
    0xFF52: "up",
    0xFF53: "right",
    0xFF54: "down",
    0xFFC8: "f11",
    0xFF80: "space",
    0xFF8D: "enter",
    0xFFAB: "+",
    0xFFAD: "-",
    0xFFFF: "delete",
}


_WINDOWS_KEY_NAMES: Final = {
    0x250000: "left",
    0x260000: "up",
    0x270000: "right",
    0x280000: "down",
    0x2E0000: "delete",
    0x7A0000: "f11",
}
"""Keys without a character in Win32 builds: the virtual key code in the upper 16 bits."""
_COCOA_KEY_NAMES: Final = {
    0xF700: "up",
    0xF701: "down",
    0xF702: "left",
    0xF703: "right",
    0xF70E: "f11",
}


_POINTER_KINDS: Final[dict[int, PointerKind]] = {
    cv2.EVENT_LBUTTONDOWN: PRESS,
    cv2.EVENT_MOUSEMOVE: MOVE,
    cv2.EVENT_LBUTTONUP: RELEASE,
}
_KEPT_EVENTS: Final = 256
"""More than arrive between two polls. If the program hangs for long, the oldest are dropped."""


class Window(Closing):
    """A window on the desktop. Open, use and close it in the main thread.

    Args:
        title: Text of the title bar, unique among the program's windows.

    Raises:
        WindowError: No window can be opened here; the message says why and names `headless`.
    """

    def __init__(self, title: str = "live-cam") -> None:
        with connected_display() as problem:
            if problem is not None:
                raise WindowError(_sentence(problem))
            prefer_bundled_platform()
            flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
            try:
                cv2.namedWindow(title, flags)
            except cv2.error as error:
                reason = error.err or str(error)
                raise WindowError(_sentence(f"OpenCV reports {reason!r}")) from error
            cv2.setMouseCallback(title, self._record_pointer)
        self._title = title
        self._closed = False
        self._sized = False
        self._full_screen = False
        self._alive: set[int] = set()
        self._image_size = (1, 1)
        self._pointer: deque[PointerEvent] = deque(maxlen=_KEPT_EVENTS)

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show an image. The first one sets the window's size. Does nothing once closed.

        Args:
            image: H×W×3 uint8, BGR.
        """
        # OpenCV would reopen a window that the user has closed.
        if self.closed:
            return
        if not self._sized:
            cv2.resizeWindow(self._title, *_fitted(image.shape[1], image.shape[0]))
            self._sized = True
        self._image_size = image.shape[1], image.shape[0]
        cv2.imshow(self._title, image)

    def poll(self, timeout_ms: int = 1) -> str | None:
        """Process window events, and return a pressed key.

        Call it every few hundred milliseconds at least, or the window appears to hang.

        Args:
            timeout_ms: How long to wait for a key, in milliseconds, at least 1.

        Returns:
            The key's name: a letter as typed, a digit or sign, or `space`, `esc`, `enter`, `tab`,
            `backspace`, `delete`, `left`, `up`, `right`, `down`, `f11`. None without a key.
        """
        if self.closed:
            return None
        # `waitKey` keeps only eight bits, so the left arrow would read as Q. A timeout of 0 would
        # wait forever.
        return key_name(cv2.waitKeyEx(max(1, timeout_ms)))

    def pointer_events(self) -> list[PointerEvent]:
        """Return the mouse events over the image since the last call, in order."""
        return [self._pointer.popleft() for _ in range(len(self._pointer))]

    def _record_pointer(self, event: int, x: int, y: int, _flags: int, _data: object) -> None:
        # Coordinates are in pixels of the image, whatever the window's size.
        kind = _POINTER_KINDS.get(event)
        if kind:
            width, height = self._image_size
            across, down = (x + 0.5) / width, (y + 0.5) / height
            self._pointer.append(
                PointerEvent(kind, min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0))
            )

    @property
    def full_screen(self) -> bool:
        """Whether the window fills the screen."""
        return self._full_screen

    @full_screen.setter
    def full_screen(self, wanted: bool) -> None:
        if self.closed or wanted == self._full_screen:
            return
        # The first image would shrink a window that already fills the screen.
        if wanted and not self._sized:
            return
        mode = cv2.WINDOW_FULLSCREEN if wanted else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)
        self._full_screen = wanted

    @property
    def closed(self) -> bool:
        """Whether the window was closed, by `close` or by the user."""
        self._closed = self._closed or self._is_gone()
        return self._closed

    def close(self) -> None:
        """Close the window. May be called twice."""
        if self.closed:
            return
        self._closed = True
        with suppress(cv2.error):
            cv2.destroyWindow(self._title)
            # macOS and GTK remove it from the screen only in the next event loop.
            cv2.waitKeyEx(1)

    def _is_gone(self) -> bool:
        # Not every build supports every property: GTK reports -1 as the visibility of an open
        # window. So a property counts only once it has reported the window as open.
        try:
            for sign, least in _SIGNS_OF_LIFE.items():
                if cv2.getWindowProperty(self._title, sign) >= least:
                    self._alive.add(sign)
                elif sign in self._alive:
                    return True
        except cv2.error:  # Qt, once the last window is closed
            return True
        return False


def key_name(code: int) -> str | None:
    """Return the name of a key.

    Args:
        code: The result of `cv2.waitKeyEx`.

    Returns:
        The name, as in `Window.poll`, or None for no key or a key without a name.
    """
    if code < 0:
        return None
    if code in _WINDOWS_KEY_NAMES:
        return _WINDOWS_KEY_NAMES[code]
    symbol = code & 0xFFFF  # the upper bits hold modifiers in GTK builds
    name = _KEY_NAMES.get(symbol) or _COCOA_KEY_NAMES.get(symbol)
    if name:
        return name
    if 0xFFB0 <= symbol <= 0xFFB9:  # X11: digits on the keypad
        return str(symbol - 0xFFB0)
    return chr(symbol) if 0x20 < symbol < 0x7F else None


def _fitted(width: int, height: int) -> tuple[int, int]:
    """Return the size of the largest window for an image that fits on a screen."""
    scale = min(1.0, _MAX_SIZE[0] / width, _MAX_SIZE[1] / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _sentence(problem: str) -> str:
    return f"No window can be opened: {problem}; use `headless` to run without one."
