"""Places in a picture."""

from __future__ import annotations

from typing import NamedTuple


class Rectangle(NamedTuple):
    """A rectangle of pixels: its upper left one, and how many across and down."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Rectangle) -> bool:
        """Whether they share a pixel.

        Args:
            other: Another rectangle in the same picture.
        """
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )
