"""Synthetic motion with a known answer: where the object is in every frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from live_cam.capture import Frame
from live_cam.explanation import Explanation
from live_cam.opencv import cv2

SIZE = (1280, 720)
RATE = 30.0
CELLS = 14


class Pan:
    """A cutout of a photo that moves over another photo, which may move as well.

    Args:
        subject: h×w×3 uint8, shown as it is.
        background: H×W×3 uint8, enlarged to cover the way of the camera.
        object_speed: Pixels per second, across and down, relative to the camera.
        camera_speed: Likewise, of the background.
        start: Centre of the object in the first frame.
        zoom: Factor by which everything grows in a second.
    """

    def __init__(
        self,
        subject: NDArray[np.uint8],
        background: NDArray[np.uint8],
        *,
        object_speed: tuple[float, float],
        camera_speed: tuple[float, float] = (0.0, 0.0),
        start: tuple[float, float] = (300.0, 360.0),
        zoom: float = 1.0,
    ) -> None:
        self._subject = subject
        enlarged = cv2.resize(background, (2 * SIZE[0], 2 * SIZE[1]))
        self._background = np.asarray(enlarged, np.uint8)
        self._object_speed = object_speed
        self._camera_speed = camera_speed
        self._start = start
        self._zoom = zoom

    def place(self, index: int) -> tuple[float, float]:
        """The object's centre in a frame, in pixels."""
        scale = self._zoom ** (index / RATE)
        x, y = (
            start + speed * index / RATE
            for start, speed in zip(self._start, self._object_speed, strict=True)
        )
        return ((x - SIZE[0] / 2) * scale + SIZE[0] / 2, (y - SIZE[1] / 2) * scale + SIZE[1] / 2)

    def frame(self, index: int) -> Frame:
        seconds, scale = index / RATE, self._zoom ** (index / RATE)
        height, width = self._subject.shape[:2]
        x, y = self.place(index)
        picture = _placed(
            self._background,
            scale,
            (
                SIZE[0] / 2 + self._camera_speed[0] * seconds,
                SIZE[1] / 2 + self._camera_speed[1] * seconds,
            ),
        )
        over = _placed(self._subject, scale, (x, y))
        mask = _placed(np.full((height, width), 255, np.uint8), scale, (x, y))[..., None] / 255.0
        mixed = picture * (1 - mask) + over * mask
        return Frame(mixed.round().astype(np.uint8), index, seconds)

    def explanation(self, index: int) -> Explanation:
        """What a perfect network would say of a frame: heat in the middle of the object."""
        x, y = self.place(index)
        cells = np.arange(CELLS) + 0.5
        across = (cells - x * CELLS / SIZE[0]) ** 2
        down = (cells - y * CELLS / SIZE[1]) ** 2
        heat = np.exp(-(down[:, None] + across[None]) / 2).astype(np.float32)
        return Explanation(heat / heat.max(), 0, "object", 1.0, (), index, index / RATE)


def _placed(
    image: NDArray[np.uint8], scale: float, centre: tuple[float, float]
) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    matrix = np.array(
        [
            [scale, 0, centre[0] - scale * (width - 1) / 2],
            [0, scale, centre[1] - scale * (height - 1) / 2],
        ]
    )
    return np.asarray(cv2.warpAffine(image, matrix, SIZE), np.uint8)


class Distances(NamedTuple):
    """Median distances of the heatmap's peak to the object, in pixels."""

    still: float
    tracked: float
