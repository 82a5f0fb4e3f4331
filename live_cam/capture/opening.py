"""Opening a source by its name, optionally in the background."""

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
_VALID_SOURCES: Final = (
    "give a camera index such as 0, a video, an image, a folder of images, a URL such as "
    "rtsp://…, or demo; live-cam doctor lists the cameras"
)


class Opening:
    """A source that a thread is opening, since a camera or a server may take a while."""

    def __init__(self, opener: Callable[[], Source]) -> None:
        """Start opening the source.

        Args:
            opener: Opens the source and returns it.
        """
        self._opener = opener
        self._source: Source | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="live_cam opening", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> Source | None:
        """Return the source once it is open, or None after the timeout.

        Args:
            timeout: Seconds.

        Raises:
            LiveCamError: The source cannot be opened.
        """
        self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return self._source

    def abandon(self) -> None:
        """Close the source, now or as soon as it is open."""
        with self._lock:
            self._abandoned = True
            source = self._source
        if source is not None:
            source.close()

    def _run(self) -> None:
        try:
            source = self._opener()
        except BaseException as error:  # raised again by `wait`
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
    """Open a source of frames.

    Args:
        source: A camera's index or device path; `demo`; a URL; or the path of a folder of images,
            an image or a video. The first that matches is opened.
        camera_size: Width and height in pixels requested from a camera, or rendered by the demo
            scene. None stands for the camera's best format, and for 1280×720.
        camera_fps: Frames per second requested from a camera, or rendered by the demo scene, or
            None for 30.
        reconnect: Seconds allowed for reconnecting to a lost camera or stream; 0 disables it.
        loop: Whether images start again after the last one. Videos always end.
        hold: Seconds for which each image is shown, at 30 frames per second; 0 shows one frame
            each.

    Returns:
        The open source, which the caller must close.

    Raises:
        UsageError: `source` does not name anything that can be opened.
        CaptureError: A camera or server is missing, rejects the request, or sends nothing.
    """
    check_source(source)
    # Imported on demand: a camera needs no PyAV, whose libraries conflict with OpenCV's on macOS,
    # and a video needs no camera.
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
    """Reject a name that cannot be a source, without opening anything.

    Args:
        source: As for `open_source`.

    Raises:
        UsageError: The file or folder does not exist, or the camera index is too large.
    """
    if _is_index(source):
        if len(source) > len(str(_LAST_CAMERA)):
            raise UsageError(
                f"There is no camera {shortened(source)}: indices range from 0 to {_LAST_CAMERA}; "
                "live-cam doctor lists the cameras."
            )
    elif source != "demo" and "://" not in source:
        path = expanded(source)
        if not source.strip() or not (_is_device(path) or _mode(path) is not None):
            shown = shortened(masked(source))
            raise UsageError(f"There is no file or folder {shown!r}; {_VALID_SOURCES}.")


def _is_index(source: str) -> bool:
    return source.isascii() and source.isdecimal()


def _is_device(path: Path) -> bool:
    # A missing device node means that the camera is unplugged.
    if path.is_absolute() and path.parts[1:2] == ("dev",) and path.name.startswith("video"):
        return True
    mode = _mode(path)
    return mode is not None and stat.S_ISCHR(mode)


def _open_path(path: Path, *, loop: bool, hold: float) -> Source:
    from live_cam.capture.image_paths import is_image

    if path.is_dir() or is_image(path):
        from live_cam.capture.stills import open_folder, open_image

        open_stills = open_folder if path.is_dir() else open_image
        return open_stills(path, hold=hold, loop=loop)
    from live_cam.capture.video import open_video

    return open_video(path)


def _mode(path: Path) -> int | None:
    """Return a file's type and permissions, or None if it is missing or its name is invalid."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None
