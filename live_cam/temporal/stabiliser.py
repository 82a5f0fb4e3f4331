"""From the newest explanation to the one drawn on a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.temporal.smoothing import Smoother
from live_cam.temporal.tracking import Tracker

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame


class Stabiliser:
    """Smooths explanations over time and moves their heatmaps with the image."""

    def __init__(self, smoothing: float, *, track: bool, carry: bool = True) -> None:
        """Create the stages that these settings need.

        Args:
            smoothing: The time constant in seconds, or 0 for no smoothing.
            track: Whether heatmaps follow the image's motion.
            carry: Whether explanations arrive after their frames, so that their heatmaps must
                catch up with the motion since.
        """
        # If each frame has its own explanation, only the smoothed past needs to be moved.
        self._tracker = Tracker() if track and (carry or smoothing > 0) else None
        self._smoother = Smoother(smoothing, self._tracker) if smoothing > 0 else None

    def stabilise(
        self, frame: Frame, explanation: Explanation | None, still_seconds: float = 0.0
    ) -> Explanation | None:
        """Return the explanation to draw on a frame.

        Args:
            frame: The frame on screen. Call this once for every shown frame, in order; repeating
                a frame has no effect.
            explanation: The newest one, of this frame or an earlier one, or None if there is none
                yet.
            still_seconds: Seconds since the last call during which nothing but noise changed.
                Infinity settles immediately.

        Returns:
            The same object as before if nothing is new.
        """
        if self._smoother:
            explanation = self._smoother.smooth(frame, explanation)
            if still_seconds > 0:
                explanation = self._smoother.settle(still_seconds)
        if self._tracker:
            explanation = self._tracker.follow(frame, explanation)
        return explanation
