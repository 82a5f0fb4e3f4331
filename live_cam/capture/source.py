"""What every source of frames is, whatever it reads from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from live_cam.resizing import shrunk

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self


_THUMBNAIL_SIDE = 160


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source, never resized or changed in place."""

    image: NDArray[np.uint8]
    """H×W×3, BGR."""
    index: int
    """Counts from 0 the pictures that the source delivered."""
    timestamp: float
    """Seconds: of `time.monotonic()` at capture for live sources, of the stream's own clock,
    which starts at 0, for the others."""
    _thumbnail: NDArray[np.uint8] | None = field(default=None, init=False, repr=False)

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """The picture in small, for whoever looks at motion: h×w×3, BGR, neither above 160.

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


class Source(Protocol):
    """Where frames come from. Opened when made; whoever made it closes it.

    `read` is called by one thread. `close` may be called by another one while a `read` is under
    way: that `read` then returns None as soon as its backend lets go.
    """

    @property
    def name(self) -> str:
        """What the user knows it as: `camera 0`, `clip.mp4`, `demo`."""

    @property
    def description(self) -> str:
        """What it really gives: `1280×720 MJPG at 30 fps`."""

    @property
    def live(self) -> bool:
        """Whether frames come at their own pace (camera, stream) and what is not read is lost.

        Otherwise `read` returns as fast as it can, and the caller paces by the timestamps.
        """

    @property
    def trouble(self) -> str | None:
        """What is wrong with it just now, in a few words for the picture; None: nothing."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end or after `close`.

        Raises:
            CaptureError: The source was lost, or what it holds cannot be decoded.
        """

    def close(self) -> None:
        """Let go of the device or file. May be called twice, and from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
