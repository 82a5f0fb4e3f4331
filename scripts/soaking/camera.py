"""A synthetic camera that is read like a real one and fails on request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from live_cam.capture.base import RawFrame, Trouble
from live_cam.capture.live import LiveSource
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGES: Final = 96
"""The number of different images, which repeat."""
_NOISE: Final = 4.0
"""The standard deviation of the sensor noise, in grey levels."""
_POLL: Final = 0.02
"""Seconds between two checks whether a frozen camera works again."""


class SyntheticCamera(LiveSource):
    """A camera that shows moving spots of colour with noise, at full rate.

    Attributes:
        fault: The present fault, one of `FAULTS`, or None.
        taken: The number of images taken.
    """

    kind: ClassVar[str] = "camera"
    patience: ClassVar[float] = 1.0
    FAULTS: Final = ("unplugged", "frozen", "black", "same", "resized", "damaged")

    def __init__(self, size: tuple[int, int], rate: float, seed: int, *, reconnect: float) -> None:
        """Start the camera.

        Args:
            size: Width and height in pixels.
            rate: Images per second.
            seed: The seed of the noise.
            reconnect: See `LiveSource`.
        """
        super().__init__("camera soak", reconnect=reconnect)
        self.fault: str | None = None
        self.taken = 0
        self._interval = 1 / rate
        self._due = time.monotonic()
        self._open = True
        width, height = size
        self._images = _moving_spots(width, height, seed)
        self._small = _moving_spots(width // 2, height // 2, seed)
        self._black = [np.asarray(drawn // 32, np.uint8) for drawn in self._images]
        self.description = self._describe(self._images[0])
        self._start(RawFrame(self._images[0], time.monotonic()))

    def _grab(self) -> RawFrame | None:
        fault = self.fault
        if not self._open or fault == "unplugged":
            self._open = False
            self._reason = Trouble("camera lost, reconnecting", "plug it in again.")
            return None
        if fault == "frozen":
            while self.fault == "frozen" and not self._stop.wait(_POLL):
                pass  # blocks like a driver that does not return
        self._take()
        if fault == "damaged" and self.taken % 2:
            self._watch.record_damaged()
            self._take()
        images = {"black": self._black, "resized": self._small}.get(fault or "", self._images)
        index = 0 if fault == "same" else self.taken
        return RawFrame(images[index % _IMAGES], time.monotonic())

    def _take(self) -> None:
        """Wait for the next image and count it."""
        now = time.monotonic()
        self._due = max(self._due + self._interval, now - self._interval)
        if self._due > now:
            self._stop.wait(self._due - now)
        self.taken += 1

    def _reopen(self) -> None:
        self._open = self.fault != "unplugged"

    def _release(self) -> None:
        self._open = False

    def _describe(self, image: NDArray[np.uint8]) -> str:
        height, width = image.shape[:2]
        return f"{width}×{height} at {1 / self._interval:g} fps"

    def _remedy(self) -> str:
        return "plug it in again."


def _moving_spots(width: int, height: int, seed: int) -> list[NDArray[np.uint8]]:
    """Return images, each H×W×3 BGR, of a smooth motion that repeats."""
    random = np.random.default_rng(seed)
    images = []
    for number in range(_IMAGES):
        turn = 2 * np.pi * number / _IMAGES
        drawn = np.full((height, width, 3), 110, np.uint8)
        for index, colour in enumerate(((40, 60, 220), (60, 200, 60), (220, 90, 40))):
            angle = turn + 2 * np.pi * index / 3
            centre = (
                round(width * (0.5 + 0.3 * np.cos(angle))),
                round(height * (0.5 + 0.3 * np.sin(angle))),
            )
            cv2.circle(drawn, centre, height // 6, colour, -1, cv2.LINE_AA)
        noisy = drawn + random.normal(0, _NOISE, drawn.shape)
        images.append(np.asarray(noisy.clip(0, 255), np.uint8))
    return images
