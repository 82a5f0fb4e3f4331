"""Synthetic motion with a known answer: how far from its object the heat is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from live_cam.capture.demo import demo_photos
from live_cam.explanation import Explanation, Heatmap, Prediction
from live_cam.frame import Frame
from live_cam.overlay import peak
from live_cam.runtime.opencv import cv2
from live_cam.runtime.report import Cell, Column, Section
from live_cam.temporal.tracking import Tracker

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE: Final = (1280, 720)
"""Width and height of the frames, in pixels."""
RATE: Final = 30.0
"""Frames per second."""
LATENCY: Final = 6
"""Frames from capture to explanation, and from one explanation to the next: five a second."""
_CELLS: Final = 14
_SUBJECT: Final = (270, 180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How an object and the camera move."""

    name: str
    """In words."""
    object_speed: tuple[float, float] = (0.0, 0.0)
    """Of the object in the image, pixels per second to the right and down."""
    background_speed: tuple[float, float] = (0.0, 0.0)
    """Likewise, of what is behind it: another one than 0 where the camera pans."""
    start: tuple[float, float] = (300.0, 360.0)
    """Where the object's centre is in the first frame, in pixels."""
    zoom: float = 1.0
    """The factor by which everything grows in a second."""


MOTIONS: Final = (
    Motion(name="object over a still background", object_speed=(300.0, 40.0)),
    Motion(name="slow object", object_speed=(60.0, 0.0)),
    Motion(name="camera pan", object_speed=(250.0, 0.0), background_speed=(250.0, 0.0)),
    Motion(name="against each other", object_speed=(220.0, 60.0), background_speed=(-120.0, 0.0)),
    Motion(name="zoom", start=(420.0, 260.0), zoom=1.35),
)


class Pan:
    """A cutout of a photo that moves over another photo."""

    def __init__(
        self, subject: NDArray[np.uint8], background: NDArray[np.uint8], motion: Motion
    ) -> None:
        """Take the images.

        Args:
            subject: h×w×3 BGR, shown as it is.
            background: H×W×3 BGR, enlarged so that it covers the way of the camera.
            motion: How both move.
        """
        self._subject = subject
        enlarged = cv2.resize(background, (2 * SIZE[0], 2 * SIZE[1]))
        self._background = np.asarray(enlarged, np.uint8)
        self._motion = motion

    def place(self, index: int) -> tuple[float, float]:
        """Return the object's centre in a frame, in pixels."""
        seconds, middle = index / RATE, (SIZE[0] / 2, SIZE[1] / 2)
        scale = self._motion.zoom**seconds
        x, y = (
            (start + speed * seconds - centre) * scale + centre
            for start, speed, centre in zip(
                self._motion.start, self._motion.object_speed, middle, strict=True
            )
        )
        return x, y

    def frame(self, index: int) -> Frame:
        """Draw a frame."""
        seconds = index / RATE
        scale = self._motion.zoom**seconds
        across, down = self._motion.background_speed
        behind = (SIZE[0] / 2 + across * seconds, SIZE[1] / 2 + down * seconds)
        drawn = _placed(self._background, scale, behind)
        opaque = np.full(self._subject.shape, 255, np.uint8)
        share = _placed(opaque, scale, self.place(index)) / 255.0
        mixed = drawn * (1 - share) + _placed(self._subject, scale, self.place(index)) * share
        return Frame(np.asarray(mixed.round(), np.uint8), index, seconds)

    def explanation(self, index: int) -> Explanation:
        """Return what a perfect network would say of a frame: heat in the object's middle."""
        x, y = self.place(index)
        cells = np.arange(_CELLS) + 0.5
        across = (cells - x * _CELLS / SIZE[0]) ** 2
        down = (cells - y * _CELLS / SIZE[1]) ** 2
        heat = np.exp(-(down[:, None] + across[None]) / 2).astype(np.float32)
        heatmap = Heatmap(heat / heat.max(), Prediction(0, "object", 1.0))
        return Explanation((heatmap,), (), index, index / RATE)


def _placed(
    image: NDArray[np.uint8], scale: float, centre: tuple[float, float]
) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    left, top = centre[0] - scale * (width - 1) / 2, centre[1] - scale * (height - 1) / 2
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    return np.asarray(cv2.warpAffine(image, matrix, SIZE), np.uint8)


class Distances(NamedTuple):
    """Medians over the frames of how far the heatmap's peak is from the object, in pixels."""

    still: float
    """Each map left where it was until the next one."""
    tracked: float
    """Each map carried along."""


def distances(pan: Pan, frames: int = 60) -> Distances:
    """Show a pan as the live loop does, with five explanations a second, each 0.2 s late.

    Args:
        pan: What is shown.
        frames: How many frames of it.
    """
    tracker = Tracker()
    explanation: Explanation | None = None
    still, tracked = [], []
    for index in range(frames):
        if index >= LATENCY and index % LATENCY == 0:
            explanation = pan.explanation(index - LATENCY)
        carried = tracker.follow(pan.frame(index), explanation)
        if explanation is not None and carried is not None:
            place = np.array(pan.place(index))
            still.append(np.linalg.norm(np.array(peak(explanation.heatmap, *SIZE)) - place))
            tracked.append(np.linalg.norm(np.array(peak(carried.heatmap, *SIZE)) - place))
    return Distances(float(np.median(still)), float(np.median(tracked)))


def photo_pan(motion: Motion) -> Pan:
    """Return a cat that moves over a motorcycle.

    Raises:
        UsageError: The demo's photos are not installed.
    """
    cat, *_, motorcycle = demo_photos()
    return Pan(np.asarray(cv2.resize(cat, _SUBJECT), np.uint8), motorcycle, motion)


def tracking_section() -> Section:
    """Measure how much nearer to its object the heat is when it is carried along.

    Raises:
        UsageError: The demo's photos are not installed.
    """
    rows: list[dict[str, Cell]] = []
    for motion in MOTIONS:
        found = distances(photo_pan(motion))
        rows.append(
            {
                "motion": motion.name,
                "still": found.still,
                "tracked": found.tracked,
                "share": found.tracked / found.still,
            }
        )
    columns = (
        Column("motion", "motion"),
        Column("still", "not tracked, px", "{:.0f}"),
        Column("tracked", "tracked, px", "{:.0f}"),
        Column("share", "share", "{:.2f}"),
    )
    note = (
        f"Median distance of the heatmap's peak to its object, {SIZE[0]}×{SIZE[1]}, with five "
        "explanations a second, each of a frame that is 0.2 s old when it comes."
    )
    return Section("Tracking", columns, tuple(rows), (note,))
