"""Finds out what a source's name means, and opens it while others go on."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING, Final

from live_cam.capture.masking import masked
from live_cam.errors import UsageError, shortened
from live_cam.runtime.user_path import expanded
from live_cam.settings import RECONNECT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from live_cam.capture.source import Source

_LAST_CAMERA: Final = 99
_WHAT_IS_RIGHT: Final = (
    "give a camera's index such as 0, a video, an image, a folder of images, a URL such as "
    "rtsp://…, or demo; live-cam doctor lists the cameras"
)


class Opening:
    """A source that is being opened, by a thread: a camera or a server may take its time."""

    def __init__(self, opened: Callable[[], Source]) -> None:
        """Begin to open it.

        Args:
            opened: Opens it and returns it.
        """
        self._opened = opened
        self._source: Source | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="live_cam opening", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> Source | None:
        """Return the source as soon as it is open; None if it is not open in time.

        Args:
            timeout: Seconds.

        Raises:
            LiveCamError: It cannot be opened.
        """
        self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return self._source

    def abandon(self) -> None:
        """Close the source as soon as it is open."""
        with self._lock:
            self._abandoned = True
            source = self._source
        if source is not None:
            source.close()

    def _run(self) -> None:
        try:
            source = self._opened()
        except BaseException as error:  # every failure is the one's who waits
            self._error = error
            return
        with self._lock:
            self._source = source
            abandoned = self._abandoned
        if abandoned:
            source.close()


def open_source(
    source: str,
    *,
    camera_size: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    reconnect: float = RECONNECT_SECONDS,
    loop: bool = False,
    hold: float = 2.0,
) -> Source:
    """Open where frames come from.

    Args:
        source: A camera's index or device path; `demo`; a URL; a folder of images, an image or
            a video, by its path. The first of these that fits is meant.
        camera_size: Width and height to ask a camera for, in pixels, and those of the demo scene;
            None: what the camera does best, and 1280×720.
        camera_fps: Frames per second to ask a camera for, and those of the demo scene; None: 30.
        reconnect: Seconds in which a lost camera or stream may come back; 0: none.
        loop: Whether images begin anew after the last one. Videos end in any case.
        hold: Seconds for which each image is shown, at 30 frames per second; 0: one frame each.

    Returns:
        The open source, which whoever called this closes.

    Raises:
        UsageError: `source` is nothing that can be opened.
        CaptureError: A camera or a server is not there, refuses, or sends nothing.
    """
    check_source(source)
    # Each is imported when it is needed: a camera needs no PyAV, whose libraries and OpenCV's get
    # in each other's way on macOS, and a video no camera.
    if _is_index(source):
        from live_cam.capture.camera import Camera

        return Camera(int(source), size=camera_size, fps=camera_fps, reconnect=reconnect)
    if source == "demo":
        from live_cam.capture import demo

        return demo.DemoScene(camera_size or demo.SIZE, camera_fps or demo.RATE)
    if "://" in source:
        from live_cam.capture.stream import open_stream

        return open_stream(source, reconnect=reconnect)
    path = expanded(source)
    if _is_device(path):
        from live_cam.capture.camera import Camera

        return Camera(str(path), size=camera_size, fps=camera_fps, reconnect=reconnect)
    return _open_path(path, loop=loop, hold=hold)


def check_source(source: str) -> None:
    """Refuse what cannot be a source, without opening anything.

    Args:
        source: As for `open_source`.

    Raises:
        UsageError: There is no such file or folder, or a camera's index is too large.
    """
    if _is_index(source):
        if len(source) > len(str(_LAST_CAMERA)):
            raise UsageError(
                f"There is no camera {shortened(source)}: indices go from 0 to {_LAST_CAMERA}; "
                "live-cam doctor lists the cameras."
            )
    elif source != "demo" and "://" not in source:
        path = expanded(source)
        if not source.strip() or not (_is_device(path) or _mode(path) is not None):
            said = shortened(masked(source))
            raise UsageError(f"There is no file or folder {said!r}; {_WHAT_IS_RIGHT}.")


def _is_index(source: str) -> bool:
    return source.isascii() and source.isdecimal()


def _is_device(path: Path) -> bool:
    # One that does not exist is a camera that is not plugged in.
    if path.is_absolute() and path.parts[1:2] == ("dev",) and path.name.startswith("video"):
        return True
    mode = _mode(path)
    return mode is not None and stat.S_ISCHR(mode)


def _open_path(path: Path, *, loop: bool, hold: float) -> Source:
    from live_cam.capture import stills

    if path.is_dir():
        return stills.open_folder(path, hold=hold, loop=loop)
    if stills.is_image(path):
        return stills.open_image(path, hold=hold, loop=loop)
    from live_cam.capture.video import open_video

    return open_video(path)


def _mode(path: Path) -> int | None:
    """Return a file's type and permissions; None if there is none, or its name is impossible."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None
