"""Rectangles in an image, and the part of an image that a network receives."""

from __future__ import annotations

from typing import NamedTuple


class Rectangle(NamedTuple):
    """A rectangle of pixels: its top left pixel, width and height.

    It may extend beyond the image.
    """

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Rectangle) -> bool:
        """Whether two rectangles share a pixel.

        Args:
            other: Another rectangle in the same image.
        """
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether a pixel lies in the rectangle.

        Args:
            x: The pixel's column.
            y: Its row.
        """
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def shares(self, width: int, height: int) -> Region:
        """Return the rectangle as shares of an image.

        Args:
            width: The image's width in pixels.
            height: Its height in pixels.
        """
        return Region(self.x / width, self.y / height, self.width / width, self.height / height)


class Region(NamedTuple):
    """A rectangle as shares of an image's width and height: its left, top, width and height.

    It does not depend on the image's size, and may extend beyond the image.
    """

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def between(cls, one: tuple[float, float], other: tuple[float, float]) -> Region:
        """Return the rectangle with two opposite corners at these points."""
        left, top = min(one[0], other[0]), min(one[1], other[1])
        return cls(left, top, abs(one[0] - other[0]), abs(one[1] - other[1]))

    def mirrored(self) -> Region:
        """Return the region in the horizontally mirrored image."""
        return self._replace(x=1.0 - self.x - self.width)

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in the region.

        Args:
            x: Share of the image's width.
            y: Share of its height.
        """
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def pixels(self, width: int, height: int) -> Rectangle:
        """Return the region's pixels within an image, at least one along each side.

        Args:
            width: The image's width in pixels.
            height: Its height in pixels.
        """
        left, right = _covered(self.x, self.width, width)
        top, bottom = _covered(self.y, self.height, height)
        return Rectangle(left, top, right - left, bottom - top)


def _covered(start: float, share: float, pixels: int) -> tuple[int, int]:
    """Return the first pixel covered along a side, and the pixel after the last."""
    first = min(round(max(0.0, start) * pixels), pixels - 1)
    return first, max(first + 1, round(min(1.0, start + share) * pixels))


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def fitted(fit: str, width: int, height: int, aspect: float) -> Rectangle:
    """Return the part of a frame that becomes a network's input.

    Args:
        fit: `squash` for the whole frame, `crop` for its largest centred rectangle with the input's
            aspect ratio, or `pad` for the smallest such rectangle around the frame.
        width: The frame's width in pixels.
        height: Its height in pixels.
        aspect: The input's width divided by its height.

    Returns:
        A rectangle in pixels of the frame. It may extend beyond the frame.

    Raises:
        ValueError: `fit` is none of these.
    """
    if fit == "squash":
        return Rectangle(0, 0, width, height)
    across, down = round(height * aspect), round(width / aspect)
    if fit == "crop":
        size = max(1, min(width, across)), max(1, min(height, down))
    elif fit == "pad":
        size = max(width, across), max(height, down)
    else:
        raise ValueError(f"expected squash, crop or pad, got {fit!r}")
    return Rectangle((width - size[0]) // 2, (height - size[1]) // 2, *size)
