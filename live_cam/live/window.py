"""The window: shows images, gives the pressed keys, notices when it is closed.

OpenCV's windows belong to the main thread; macOS ends programs that use them in another one.
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
"""Pixels: a window of this size fits on every usual screen, title bar and panels included."""

_SIGNS_OF_LIFE: Final = {cv2.WND_PROP_VISIBLE: 1.0, cv2.WND_PROP_AUTOSIZE: 0.0}
"""What each property at least is while the window is there, in the builds that know it."""

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
"""Keys without a character, in Win32's builds: the virtual key above an empty lower half."""
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
_REMEMBERED_EVENTS: Final = 256
"""More than come between two looks; a program that hangs for long forgets the oldest."""


class Window(Closing):
    """A window on the desktop. Made, used and closed in the main thread.

    Args:
        title: What stands in its title bar; no other window of the program may have it.

    Raises:
        WindowError: No window can be opened here; the message says why and names `--headless`.
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
                raise WindowError(_sentence(f"OpenCV says {reason!r}")) from error
            cv2.setMouseCallback(title, self._note_pointer)
        self._title = title
        self._closed = False
        self._sized = False
        self._full_screen = False
        self._alive: set[int] = set()
        self._image_size = (1, 1)
        self._pointer: deque[PointerEvent] = deque(maxlen=_REMEMBERED_EVENTS)

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show an image; the first one sets the window's size. Nothing happens once closed.

        Args:
            image: H×W×3 uint8, BGR.
        """
        # A window that the user has closed would come back.
        if self.closed:
            return
        if not self._sized:
            cv2.resizeWindow(self._title, *_fitted(image.shape[1], image.shape[0]))
            self._sized = True
        self._image_size = image.shape[1], image.shape[0]
        cv2.imshow(self._title, image)

    def poll(self, timeout_ms: int = 1) -> str | None:
        """Let the window system work, and take a pressed key.

        A window that is not polled at least every few hundred milliseconds seems to hang.

        Args:
            timeout_ms: How long to wait for a key, in milliseconds, at least 1.

        Returns:
            The key's name: a letter as it is typed, a digit or sign, or `space`, `esc`, `enter`,
            `tab`, `backspace`, `delete`, `left`, `up`, `right`, `down`, `f11`. None without a key.
        """
        if self.closed:
            return None
        # Not `waitKey`, which keeps eight bits and so takes the left arrow for a Q. A timeout
        # of 0 would wait for ever.
        return key_name(cv2.waitKeyEx(max(1, timeout_ms)))

    def pointer_events(self) -> list[PointerEvent]:
        """Take what the mouse did over the image since the last call, in its order."""
        return [self._pointer.popleft() for _ in range(len(self._pointer))]

    def _note_pointer(self, event: int, x: int, y: int, _flags: int, _data: object) -> None:
        # Places come in pixels of the image, however large the window is.
        kind = _POINTER_KINDS.get(event)
        if kind:
            width, height = self._image_size
            across, down = (x + 0.5) / width, (y + 0.5) / height
            self._pointer.append(
                PointerEvent(kind, min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0))
            )

    @property
    def full_screen(self) -> bool:
        """Whether the window was made to fill the screen."""
        return self._full_screen

    @full_screen.setter
    def full_screen(self, wanted: bool) -> None:
        if self.closed or wanted == self._full_screen:
            return
        # A window that fills the screen before its first image would be sized down again.
        if wanted and not self._sized:
            return
        mode = cv2.WINDOW_FULLSCREEN if wanted else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)
        self._full_screen = wanted

    @property
    def closed(self) -> bool:
        """Whether the window is gone: by `close`, or because the user closed it."""
        self._closed = self._closed or self._is_gone()
        return self._closed

    def close(self) -> None:
        """Close the window. May be called twice."""
        if self.closed:
            return
        self._closed = True
        with suppress(cv2.error):
            cv2.destroyWindow(self._title)
            # macOS and GTK take it off the screen only in the next round of events.
            cv2.waitKeyEx(1)

    def _is_gone(self) -> bool:
        # Not every build knows every property: GTK's says -1 for the visibility of an open
        # window. So a property counts only once it has said that the window is there.
        try:
            for sign, least in _SIGNS_OF_LIFE.items():
                if cv2.getWindowProperty(self._title, sign) >= least:
                    self._alive.add(sign)
                elif sign in self._alive:
                    return True
        except cv2.error:  # Qt's, as soon as the last window is closed
            return True
        return False


def key_name(code: int) -> str | None:
    """Name a key.

    Args:
        code: What `cv2.waitKeyEx` returned.

    Returns:
        Its name, as `Window.poll` gives it; None for no key and for those without a name.
    """
    if code < 0:
        return None
    if code in _WINDOWS_KEY_NAMES:
        return _WINDOWS_KEY_NAMES[code]
    symbol = code & 0xFFFF  # above are the modifiers, in GTK's builds
    name = _KEY_NAMES.get(symbol) or _COCOA_KEY_NAMES.get(symbol)
    if name:
        return name
    if 0xFFB0 <= symbol <= 0xFFB9:  # X11's digits of the keypad
        return str(symbol - 0xFFB0)
    return chr(symbol) if 0x20 < symbol < 0x7F else None


def _fitted(width: int, height: int) -> tuple[int, int]:
    """Shrink an image's size, where needed, to the largest window that fits on a screen."""
    scale = min(1.0, _MAX_SIZE[0] / width, _MAX_SIZE[1] / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _sentence(problem: str) -> str:
    return f"No window can be opened: {problem}; with --headless live-cam runs without one."
