"""When a run is over: after a number of frames, or a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from live_cam.frame import Frame
    from live_cam.settings import Settings


class Limits:
    """Counts a run's frames, and the time since the first one.

    Args:
        settings: Of which `seconds` and `max_frames` apply.
    """

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.seconds
        self._frames = settings.max_frames
        self._first: Frame | None = None
        self._count = 0

    def count(self, frame: Frame) -> None:
        """Count a frame that was shown."""
        self._first = self._first or frame
        self._count += 1

    def reached(self, now: float) -> bool:
        """Return whether the run is over.

        Args:
            now: The time in seconds on the frames' clock.
        """
        if self._frames is not None and self._count >= self._frames:
            return True
        return (
            self._seconds is not None
            and self._first is not None
            and now - self._first.timestamp >= self._seconds
        )
