"""An image from a source, with its index and timestamp."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from live_cam.resizing import shrunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_THUMBNAIL_SIDE = 160


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An image from a source in its original size. It is never modified in place."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    index: int
    """Number of frames that the source delivered before this one."""
    timestamp: float
    """Seconds: `time.monotonic()` at capture for live sources, and the source's own clock, which
    starts at 0, for others."""
    _thumbnail: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """A small copy of the image for motion analysis: h×w×3, BGR, at most 160 pixels a side.

        Computed on first use by area averaging, which suppresses noise.
        """
        thumbnail = self._thumbnail
        if thumbnail is None:  # two threads may both compute it, with equal results
            thumbnail = _thumbnail(self.image)
            object.__setattr__(self, "_thumbnail", thumbnail)
        return thumbnail


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, _THUMBNAIL_SIDE / max(height, width))
    return shrunk(image, max(1, round(width * scale)), max(1, round(height * scale)))
