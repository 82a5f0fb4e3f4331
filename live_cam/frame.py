"""An image from a source, with its index and time."""

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
    """One image from a source, never resized or changed in place."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    index: int
    """Counts from 0 the images that the source delivered."""
    timestamp: float
    """Seconds: of `time.monotonic()` at capture for live sources, of the stream's own clock,
    which starts at 0, for the others."""
    _thumbnail: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """The image in small, for whoever looks at motion: h×w×3, BGR, neither above 160.

        Made when it is first asked for, and averaged over areas, which takes the noise out.
        """
        small = self._thumbnail
        if small is None:  # two threads may both make it, and make the same
            small = _thumbnail(self.image)
            object.__setattr__(self, "_thumbnail", small)
        return small


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, _THUMBNAIL_SIDE / max(height, width))
    return shrunk(image, max(1, round(width * scale)), max(1, round(height * scale)))
