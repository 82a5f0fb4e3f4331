"""Synthetic motion with a known answer: how far from its object a heatmap is drawn."""

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
"""Frames from capture to explanation, and between two explanations: five explanations a second."""
_CELLS: Final = 14
_SUBJECT: Final = (270, 180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How an object and the camera move."""

    name: str
    """A description for the table."""
    object_speed: tuple[float, float] = (0.0, 0.0)
    """The object's speed in the image, pixels per second to the right and down."""
    background_speed: tuple[float, float] = (0.0, 0.0)
    """The background's speed, pixels per second to the right and down; not 0 if the camera pans."""
    start: tuple[float, float] = (300.0, 360.0)
    """The object's centre in the first frame, in pixels."""
    zoom: float = 1.0
    """The factor by which everything grows per second."""


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
        """Enlarge the background to cover the whole pan.

        Args:
            subject: h×w×3 BGR, shown at its own size.
            background: H×W×3 BGR.
            motion: The motion of both.
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
        """Return the ideal explanation of a frame, with its peak at the object's centre."""
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
    """Median distances of the heatmap's peak from the object, in pixels."""

    still: float
    """With each map kept in place until the next one."""
    tracked: float
    """With each map moved along by tracking."""


def distances(pan: Pan, frames: int = 60) -> Distances:
    """Measure a pan as the live loop shows it: five explanations per second, each 0.2 s late.

    Args:
        pan: The pan.
        frames: The number of frames.
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
    """Return a pan of a cat over a motorcycle.

    Raises:
        UsageError: The demo's photos are not installed.
    """
    cat, *_, motorcycle = demo_photos()
    return Pan(np.asarray(cv2.resize(cat, _SUBJECT), np.uint8), motorcycle, motion)


def tracking_section() -> Section:
    """Measure how much closer to its object a tracked heatmap is drawn.

    Raises:
        UsageError: The demo's photos are not installed.
    """
    rows: list[dict[str, Cell]] = []
    for motion in MOTIONS:
        still, tracked = distances(photo_pan(motion))
        rows.append(
            {"motion": motion.name, "still": still, "tracked": tracked, "share": tracked / still}
        )
    columns = (
        Column("motion", "motion"),
        Column("still", "not tracked, px", "{:.0f}"),
        Column("tracked", "tracked, px", "{:.0f}"),
        Column("share", "share", "{:.2f}"),
    )
    note = (
        f"Median distance of the heatmap's peak from its object, {SIZE[0]}×{SIZE[1]}, with five "
        "explanations per second, each 0.2 s late."
    )
    return Section("Tracking", columns, tuple(rows), (note,))
