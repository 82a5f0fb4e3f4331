"""From the newest explanation to the one that is drawn on a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.temporal.smoothing import Calm
from live_cam.temporal.tracking import Tracker

if TYPE_CHECKING:
    from live_cam.explanation import Explanation
    from live_cam.frame import Frame


class Stabiliser:
    """Smooths explanations over time, and carries their maps along with the image's motion."""

    def __init__(self, smoothing: float, *, track: bool, carry: bool = True) -> None:
        """Say what is wanted.

        Args:
            smoothing: The time constant in seconds; 0: explanations stay as they are.
            track: Whether maps follow the image's motion.
            carry: Whether explanations come later than their frames, so that there is a way to
                carry them.
        """
        # Where each frame has its own explanation, only what came before has a way to go.
        self._tracker = Tracker() if track and (carry or smoothing > 0) else None
        self._calm = Calm(smoothing, self._tracker) if smoothing > 0 else None

    def stabilise(
        self, frame: Frame, explanation: Explanation | None, rested: float = 0.0
    ) -> Explanation | None:
        """Return the explanation as it is to be drawn on a frame.

        Args:
            frame: The one that is shown. Every shown frame must be given once, in order; one that
                is given again changes nothing.
            explanation: The newest one, of this frame or an earlier one; None: none yet.
            rested: Seconds since the last call in which nothing changed but for noise; infinite:
                it comes to rest at once.

        Returns:
            The same object as before where nothing is new.
        """
        if self._calm:
            explanation = self._calm.steady(frame, explanation)
            if rested > 0:
                explanation = self._calm.settle(rested)
        if self._tracker:
            explanation = self._tracker.follow(frame, explanation)
        return explanation
