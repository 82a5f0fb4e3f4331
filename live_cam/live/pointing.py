"""The mouse on the image, and the pointing game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from live_cam.overlay.status import PointingScore

if TYPE_CHECKING:
    from live_cam.geometry import Region

PRESS: Final = "press"
MOVE: Final = "move"
RELEASE: Final = "release"
PointerKind = Literal["press", "move", "release"]


class PointerEvent(NamedTuple):
    """An event of the mouse."""

    kind: PointerKind
    """`PRESS` or `RELEASE` of the main button, or `MOVE`."""
    x: float
    """Column, as a share of the image's width, in [0, 1]."""
    y: float
    """Row, as a share of its height, in [0, 1]."""


class PointingGame:
    """The pointing game: counts how often the peak of the evidence lies in a box.

    Zhang et al., "Top-Down Neural Attention by Excitation Backprop", IJCV 2018, section 4.1,
    without its tolerance of 15 pixels: the user draws the box as wide as intended.
    """

    def __init__(self) -> None:
        self._target: Region | None = None
        self._score = PointingScore(0, 0)

    def record(self, target: Region | None, x: float, y: float) -> None:
        """Count one explanation. A new box starts a new game.

        Args:
            target: The box, in shares of the frame, or None without a game.
            x: Column of the evidence's peak, as a share of the frame's width.
            y: Row of the peak, as a share of its height.
        """
        if target != self._target:
            self._target, self._score = target, PointingScore(0, 0)
        if target is not None:
            hits, rounds = self._score
            self._score = PointingScore(hits + target.contains(x, y), rounds + 1)

    def score(self, target: Region | None) -> PointingScore | None:
        """Return the score of a box, or None without a box."""
        if target is None:
            return None
        return self._score if target == self._target else PointingScore(0, 0)
