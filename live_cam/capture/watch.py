"""Watches what a live source gives: images that come, and yet something is wrong with them.

What it notices is said and never ends anything: a virtual camera may well show a still image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from live_cam.capture.base import Trouble
from live_cam.runtime.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LASTING: Final = 3.0
"""Seconds for which something must be wrong to be worth a word."""
_GAP: Final = 1.0
"""Seconds between two images, after which nothing is said of what was before."""
_RECENT: Final = 4.0
"""Seconds for which a change of the images' size is worth a word."""
_SAMPLED: Final = 16
"""One pixel in how many, of each row and column, is looked at."""
_BLACK: Final = 16
"""Grey levels. Up to it a pixel is black: a covered sensor has some noise, and black is 16 where a
driver takes video levels for full ones."""
_BRIGHT_SHARE: Final = 0.01
"""Share of brighter pixels that a black image may have: sensors have hot ones."""
_DAMAGE_WEIGHT: Final = 0.1
"""Weight of each image in the share of damaged ones: the last dozen or two count."""
_DAMAGED_SHARE: Final = 0.3
_MENDED_SHARE: Final = 0.1
"""Below it they are many no more. Where a third of them is damaged, the share is now above the
other limit and now below it, and the same sentence would be said again and again."""


class Watch:
    """Sees each image of a device, also those that nobody takes.

    Attributes:
        size_changed_at: When images of another size began to come; None: never.
        damaged: Whether many of the last images could not be decoded.
    """

    def __init__(self, kind: str, name: str) -> None:
        """Take the device's kind, `camera` or `stream`, and what the user knows it as."""
        self.size_changed_at: float | None = None
        self.damaged = False
        self._kind = kind
        self._name = name
        self._last: NDArray[np.uint8] | None = None
        self._last_at = 0.0
        self._same_since = 0.0
        self._black_since: float | None = None
        self._damaged_share = 0.0

    def see(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Look at the next image.

        Args:
            image: H×W×3 uint8; not changed by anyone afterwards.
            timestamp: Seconds of `time.monotonic()`.
        """
        last, self._last = self._last, image
        # What was not seen is not known to have been the same, or black.
        missed = timestamp - self._last_at > _GAP
        self._last_at = timestamp
        self._damaged_share *= 1 - _DAMAGE_WEIGHT
        self.damaged = self.damaged and self._damaged_share > _MENDED_SHARE
        if last is not None and last.shape != image.shape:
            self.size_changed_at = timestamp
        if last is None or last.shape != image.shape or missed or not _identical(last, image):
            self._same_since = timestamp
        if not _is_black(image):
            self._black_since = None
        elif self._black_since is None or missed:
            self._black_since = timestamp

    def see_damaged(self) -> None:
        """Take note of an image that could not be decoded."""
        self._damaged_share += _DAMAGE_WEIGHT * (1 - self._damaged_share)
        self.damaged = self.damaged or self._damaged_share > _DAMAGED_SHARE

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with the last images; None: nothing."""
        if self._last is None:
            return None
        if self.damaged:
            return self._of(
                "sends damaged images",
                "many of its images arrive damaged and are left out: try another cable, port or "
                "network, or a smaller image",
            )
        if self._black_since is not None and self._last_at - self._black_since > _LASTING:
            return self._of(
                "sends only black images: is it covered?",
                "it sends only black images: open its shutter, take off its cap or give it light",
            )
        if self._last_at - self._same_since > _LASTING:
            return self._of(
                "seems frozen: always the same image",
                "it sends the very same image again and again, which no sensor does: if nothing "
                "moves, unplug it and plug it in again, or start it anew",
            )
        if self.size_changed_at is not None and self._last_at - self.size_changed_at < _RECENT:
            height, width = self._last.shape[:2]
            return self._of(
                f"now sends {width}×{height}", f"its images are now {width}×{height} pixels large"
            )
        return None

    def _of(self, brief: str, sentence: str) -> Trouble:
        return Trouble(f"{self._kind} {brief}", f"{self._name}: {sentence}.")


def _sample(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image[::_SAMPLED, ::_SAMPLED]


def _identical(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    # A sensor's noise differs in the sample already, so that the whole is hardly ever compared.
    if not np.array_equal(_sample(first), _sample(second)):
        return False
    return cv2.norm(first, second, cv2.NORM_INF) == 0


def _is_black(image: NDArray[np.uint8]) -> bool:
    sample = _sample(image)
    return bool(np.count_nonzero(sample > _BLACK) <= _BRIGHT_SHARE * sample.size)
