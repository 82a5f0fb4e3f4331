"""The demo scene: a slow flight over four photos, identical on every machine and in every run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import numpy as np

from live_cam.capture.base import PacedSource, RawFrame
from live_cam.errors import UsageError
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE: Final = (1280, 720)
"""Width and height of the demo's frames, in pixels."""
RATE: Final = 30.0
"""The demo's frames per second."""
_SECONDS: Final = 5.0
"""Seconds per photo, including its fade into the next."""
_FADE: Final = 0.5
"""Seconds of that fade."""
_MARGIN: Final = 0.02
"""Margin around a subject in the closest view, as a share of the photo's width."""


class _Stop(NamedTuple):
    """Where a flight begins or ends."""

    nearness: float
    """From 0, the widest view of the photo, to 1, the closest view of its subject."""
    across: float
    """Horizontal position among the views that contain the subject: 0 leftmost, 1 rightmost."""
    down: float
    """Vertical position among them: 0 topmost, 1 bottommost."""


class _Photo(NamedTuple):
    """A photo from scikit-image's wheel."""

    file: str
    subject: tuple[int, int, int, int]
    """Left, top, right and bottom edge of the subject, in pixels of the photo."""
    start: _Stop
    end: _Stop


_PHOTOS: Final = (
    _Photo("chelsea.png", (72, 72, 347, 268), _Stop(0.15, 0.0, 0.6), _Stop(0.9, 0.9, 0.4)),
    _Photo("coffee.png", (172, 14, 412, 262), _Stop(0.95, 0.2, 0.3), _Stop(0.1, 0.9, 0.6)),
    _Photo("rocket.jpg", (306, 122, 338, 410), _Stop(0.45, 0.65, 0.2), _Stop(1.0, 0.35, 0.6)),
    _Photo("motorcycle_left.png", (98, 80, 690, 452), _Stop(0.6, 0.9, 0.3), _Stop(0.0, 0.5, 0.9)),
)


class _View(NamedTuple):
    """A cutout of a photo, in pixels of the photo."""

    left: float
    top: float
    width: float


class _Scene:
    """One photo, resized once, so that each frame is a cheap cutout at about its own scale."""

    def __init__(self, photo: _Photo, image: NDArray[np.uint8], size: tuple[int, int]) -> None:
        self.name = Path(photo.file).stem
        self._frame_size = size
        self._start, self._end = (
            _cutout(image.shape[:2], photo.subject, size[0] / size[1], stop)
            for stop in (photo.start, photo.end)
        )
        self._subject = photo.subject
        self._scale = size[0] / max(self._start.width, self._end.width)
        self._image = cv2.resize(
            image,
            None,
            fx=self._scale,
            fy=self._scale,
            interpolation=cv2.INTER_AREA if self._scale < 1 else cv2.INTER_CUBIC,
        )

    def _view(self, progress: float) -> _View:
        eased = progress * progress * (3 - 2 * progress)
        return _between(self._start, self._end, eased)

    def draw(self, progress: float) -> NDArray[np.uint8]:
        view = self._view(progress)
        step = view.width * self._scale / self._frame_size[0]
        # Pixel coordinates refer to centres: frame pixel 0 is half a step inside the view.
        matrix = np.array(
            [
                [step, 0, view.left * self._scale + (step - 1) / 2],
                [0, step, view.top * self._scale + (step - 1) / 2],
            ]
        )
        drawn = cv2.warpAffine(
            self._image,
            matrix,
            self._frame_size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cast("NDArray[np.uint8]", drawn)

    def subject(self, progress: float) -> tuple[int, int, int, int]:
        view = self._view(progress)
        width, height = self._frame_size
        scale = width / view.width
        left, top, right, bottom = self._subject
        return (
            max(0, round((left - view.left) * scale)),
            max(0, round((top - view.top) * scale)),
            min(width, round((right - view.left) * scale)),
            min(height, round((bottom - view.top) * scale)),
        )


class DemoScene(PacedSource):
    """Photos of a cat, a cup of coffee, a rocket and a motorcycle in an endless loop.

    Each frame depends only on its index.
    """

    def __init__(self, size: tuple[int, int] = SIZE, rate: float = RATE) -> None:
        """Load the photos.

        Args:
            size: Width and height of the frames, in pixels.
            rate: Frames per second.

        Raises:
            UsageError: scikit-image, which provides the photos, is not installed.
        """
        super().__init__("demo")
        folder = _photo_folder()
        self._scenes = [_Scene(photo, _load(folder / photo.file), size) for photo in _PHOTOS]
        self._rate = rate
        self._next_index = 0
        self.description = f"{size[0]}×{size[1]} demo scene at {rate:.4g} fps"

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            index: Index of the frame, from 0 without limit.

        Returns:
            H×W×3 BGR.
        """
        number, seconds = self._moment(index)
        scene = self._scenes[number]
        drawn = scene.draw(_progress(seconds))
        into_next = (seconds - (_SECONDS - _FADE)) / _FADE
        if into_next <= 0:
            return drawn
        following = self._scenes[(number + 1) % len(self._scenes)]
        fading_in = following.draw(_progress(seconds - _SECONDS))
        faded = cv2.addWeighted(drawn, 1 - into_next, fading_in, into_next, 0)
        return cast("NDArray[np.uint8]", faded)

    def subject(self, index: int) -> tuple[str, tuple[int, int, int, int]]:
        """Return the subject of a frame and its position.

        Args:
            index: Index of the frame, from 0 without limit.

        Returns:
            The photo's name (`chelsea`, `coffee`, `rocket`, `motorcycle_left`) and its subject's
            left, top, right and bottom edge, in pixels of the frame. During a fade, those of the
            more visible photo.
        """
        number, seconds = self._moment(index)
        if seconds > _SECONDS - _FADE / 2:
            number, seconds = (number + 1) % len(self._scenes), seconds - _SECONDS
        scene = self._scenes[number]
        return scene.name, scene.subject(_progress(seconds))

    def _moment(self, index: int) -> tuple[int, float]:
        """Return the index of the photo in a frame, and the seconds since its fade-in ended."""
        number, seconds = divmod(index / self._rate, _SECONDS)
        return int(number) % len(self._scenes), seconds

    def _next(self) -> RawFrame:
        index = self._next_index
        self._next_index += 1
        return RawFrame(self.frame(index), index / self._rate)

    def _release(self) -> None:
        """Release nothing, so that `frame` and `subject` stay usable."""


def demo_photos() -> list[NDArray[np.uint8]]:
    """Return the photos that the demo flies over, each H×W×3 BGR.

    Raises:
        UsageError: scikit-image, which provides the photos, is not installed.
    """
    folder = _photo_folder()
    return [_load(folder / photo.file) for photo in _PHOTOS]


def _progress(seconds: float) -> float:
    """Return the completed share of a photo's flight, which starts with its fade-in."""
    return (seconds + _FADE) / (_SECONDS + _FADE)


def _between(start: _View, end: _View, share: float) -> _View:
    return _View(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))


def _cutout(
    shape: tuple[int, ...], subject: tuple[int, int, int, int], aspect: float, stop: _Stop
) -> _View:
    """Return the view at a stop, with the frame's aspect ratio and inside the photo."""
    height, width = shape
    margin = _MARGIN * width
    left, top, right, bottom = subject
    across = max(0, left - margin), min(width, right + margin)
    down = max(0, top - margin), min(height, bottom + margin)
    widest = min(width, height * aspect)
    closest = min(widest, max(across[1] - across[0], (down[1] - down[0]) * aspect))
    side = widest + (closest - widest) * stop.nearness
    return _View(
        _view_start(across, side, width, stop.across),
        _view_start(down, side / aspect, height, stop.down),
        side,
    )


def _view_start(subject: tuple[float, float], side: float, limit: float, share: float) -> float:
    """Return the start of a view of length `side` that contains the subject and ends by `limit`."""
    first, last = max(0, subject[1] - side), min(limit - side, subject[0])
    if first > last:  # the view is too short for the subject, so centre it
        return min(max((subject[0] + subject[1] - side) / 2, 0), limit - side)
    return first + (last - first) * share


def _photo_folder() -> Path:
    # Located without importing it, which takes seconds.
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise UsageError(
            "The demo scene uses photos from scikit-image, which is not installed; install it "
            "with: pip install 'live-cam[demo]'."
        )
    return Path(spec.origin).parent / "data"


def _load(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UsageError(
            f"The demo scene's photo {path} is missing or damaged; reinstall scikit-image "
            "with: pip install --force-reinstall scikit-image."
        )
    return cast("NDArray[np.uint8]", image)
