"""Detection of faults in a live source that delivers images: frozen, black, damaged, resized.

Faults are reported and never end the source: a virtual camera may well show a still image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.capture.base import Trouble
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LASTING: Final = 3.0
"""Seconds for which a fault must last before it is reported."""
_GAP: Final = 1.0
"""Seconds between two images beyond which the earlier one no longer counts."""
_RECENT: Final = 4.0
"""Seconds for which a change of image size is reported."""
_SAMPLED: Final = 16
"""Stride of the sampled pixels along rows and columns."""
_BLACK: Final = 16
"""Grey levels. Pixels up to this level are black: a covered sensor has some noise, and drivers that
mistake video levels for full range show black as 16."""
_BRIGHT_SHARE: Final = 0.01
"""Share of brighter pixels that a black image may have, since sensors have hot pixels."""
_DAMAGE_WEIGHT: Final = 0.1
"""Weight of each image in the moving share of damaged ones: the last 10 to 20 images count."""
_DAMAGED_SHARE: Final = 0.3
"""Share above which a source is reported as damaged."""
_RECOVERED_SHARE: Final = 0.1
"""Share below which it no longer is. The gap between the two limits keeps a source with a third of
its images damaged from being reported again and again."""


class Watch:
    """Detects faults in the images of a device, including images that nobody reads.

    Attributes:
        size_changed_at: Timestamp of the first image of a new size, or None if it never changed.
        damaged: Whether many of the last images could not be decoded.
    """

    def __init__(self, kind: str, name: str) -> None:
        """Start without images.

        Args:
            kind: The kind of device: `camera` or `stream`.
            name: Its display name.
        """
        self.size_changed_at: float | None = None
        self.damaged = False
        self._kind = kind
        self._name = name
        self._last: NDArray[np.uint8] | None = None
        self._last_at = 0.0
        self._same_since = 0.0
        self._black_since: float | None = None
        self._damaged_share = 0.0

    def record(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Record the next image.

        Args:
            image: H×W×3 uint8. It must not change afterwards.
            timestamp: Seconds of `time.monotonic()`.
        """
        last, self._last = self._last, image
        # Nothing is known about the images in a gap, so neither fault counts across one.
        gap = timestamp - self._last_at > _GAP
        self._last_at = timestamp
        self._damaged_share *= 1 - _DAMAGE_WEIGHT
        self.damaged = self.damaged and self._damaged_share > _RECOVERED_SHARE
        if last is not None and last.shape != image.shape:
            self.size_changed_at = timestamp
        if last is None or last.shape != image.shape or gap or not _identical(last, image):
            self._same_since = timestamp
        if not _is_black(image):
            self._black_since = None
        elif self._black_since is None or gap:
            self._black_since = timestamp

    def record_damaged(self) -> None:
        """Record an image that could not be decoded."""
        self._damaged_share += _DAMAGE_WEIGHT * (1 - self._damaged_share)
        self.damaged = self.damaged or self._damaged_share > _DAMAGED_SHARE

    @property
    def trouble(self) -> Trouble | None:
        """The fault in the last images, or None."""
        if self._last is None:
            return None
        if self.damaged:
            return self._trouble(
                "sends damaged images",
                "many of its images arrive damaged and are skipped; try another cable, port or "
                "network, or a smaller image size",
            )
        if self._black_since is not None and self._last_at - self._black_since > _LASTING:
            return self._trouble(
                "sends only black images: is it covered?",
                "it sends only black images; open its shutter, remove its lens cap or add light",
            )
        if self._last_at - self._same_since > _LASTING:
            return self._trouble(
                "seems frozen: always the same image",
                "it keeps sending exactly the same image, which no sensor does; if the image stays "
                "still, unplug the device and plug it in again, or restart it",
            )
        if self.size_changed_at is not None and self._last_at - self.size_changed_at < _RECENT:
            height, width = self._last.shape[:2]
            return self._trouble(
                f"now sends {width}×{height}", f"its images now have {width}×{height} pixels"
            )
        return None

    def _trouble(self, brief: str, sentence: str) -> Trouble:
        return Trouble(f"{self._kind} {brief}", f"{self._name}: {sentence}.")


def _sample(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image[::_SAMPLED, ::_SAMPLED]


def _identical(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    # Sensor noise already shows in the sample, so the full comparison hardly ever runs.
    if not np.array_equal(_sample(first), _sample(second)):
        return False
    return cv2.norm(first, second, cv2.NORM_INF) == 0


def _is_black(image: NDArray[np.uint8]) -> bool:
    sample = _sample(image)
    return bool(np.count_nonzero(sample > _BLACK) <= _BRIGHT_SHARE * sample.size)
