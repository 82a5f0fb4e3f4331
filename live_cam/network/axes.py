"""What each axis of a layer's features means, and what a new layout makes of it.

Convolutional networks hold their features as N×C×H×W, Swin as N×H×W×C, and other vision
transformers as N×T×C, where tokens without a place come before those that have one. No size tells
these apart; `live_cam.network.axis_tracing` follows each axis from the image on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from live_cam.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

UNKNOWN: Final = "-"


class Part(NamedTuple):
    """What an axis counts, or some of its digits: of rows, which window or which row in it."""

    letter: str
    """N images, C channels, H rows, W columns, `-` unknown."""
    size: int
    """How many values it has."""
    unit: int
    """How many rows, columns or channels lie between two of them."""
    extent: int
    """How many there are in all."""

    def split(self, first: int) -> tuple[Part, Part]:
        """Return the leading digits, of which there are `first` values, and the others."""
        rest = self.size // first
        return self._replace(size=first, unit=self.unit * rest), self._replace(size=rest)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of features."""

    size: int
    """How many elements it has."""
    parts: tuple[Part, ...]
    """What they count, the slowest first."""
    placeless: int = 0
    """How many elements come before those that the parts count: the class token, registers."""

    @classmethod
    def whole(cls, letter: str, size: int) -> Axis:
        """Return an axis that counts one thing, a letter of `Part`."""
        return cls(size, (Part(letter, size, 1, size),))

    @property
    def role(self) -> str:
        """The letter of what it counts; T for rows by columns, `-` for anything else."""
        parts = [part for part in self.parts if part.size > 1] or self.parts[:1]
        letters = "".join(part.letter for part in parts)
        # The window says, if roughly, where in the image; the row in the window alone does not.
        if letters in ("H", "W", "HW") and all(
            part.size * part.unit == part.extent for part in parts
        ):
            return "T" if letters == "HW" else letters
        if set(letters) == {"C"} and math.prod(part.size for part in parts) == parts[0].extent:
            return "C"
        return "N" if letters == "N" else UNKNOWN

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns, where it counts tokens."""
        sizes = {part.letter: part.size for part in self.parts if part.size > 1}
        return sizes.get("H", 1), sizes.get("W", 1)

    def fitted(self, size: int) -> Axis:
        """Return what is left of it where it has this number of elements."""
        if size == self.size:
            return self
        role = self.role
        if role in "CHW":
            return Axis.whole(role, size)
        if role == "T" and size == math.prod(self.grid):
            return replace(self, size=size, placeless=0)
        return Axis.whole(UNKNOWN, size)


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes of features mean."""

    each: tuple[Axis, ...]

    @classmethod
    def of(cls, roles: str, shape: Sequence[int]) -> Axes:
        """Return axes that count one thing each, by a letter of `Part` for each."""
        return cls(tuple(map(Axis.whole, roles, shape)))

    @property
    def roles(self) -> str:
        """A letter an axis: NCHW, NHWC, NTC; `-` for what is unknown."""
        roles = "".join(axis.role for axis in self.each)
        missing = set("NCT" if "T" in roles else "NCHW") - set(roles)
        if missing == {"C"} and roles.count(UNKNOWN) == 1:
            # What is left is what the features are made of: channels, if put together anew.
            return roles.replace(UNKNOWN, "C")
        return roles

    @property
    def are_maps(self) -> bool:
        """Whether it is known of each feature where in the image it lies."""
        return sorted(self.roles) in (sorted("NCHW"), sorted("NCT"))

    @property
    def placeless(self) -> int:
        """How many tokens lie nowhere in the image."""
        return sum(axis.placeless for axis in self.each)

    def as_maps(self, features: Tensor) -> Tensor:
        """Return features as N×K×h×w, without the tokens that have no place.

        Args:
            features: What these axes are of, or its gradient.

        Raises:
            UsageError: Channels, rows and columns are not all known.
        """
        roles = self.roles
        if roles == "NCHW":
            return features
        if not self.are_maps:
            raise UsageError(
                f"the target layer gives {'×'.join(map(str, features.shape))}, which is neither a "
                "map of features (N×C×H×W or N×H×W×C) nor tokens whose places are known (N×T×C); "
                "choose another one with --layer."
            )
        if "T" not in roles:
            return features.permute(*map(roles.index, "NCHW"))
        tokens = self.each[roles.index("T")]
        laid = features.permute(*map(roles.index, "NCT"))
        placed = laid.narrow(2, tokens.placeless, math.prod(tokens.grid))
        return placed.reshape(*placed.shape[:2], *tokens.grid)

    def permuted(self, order: Sequence[int]) -> Axes:
        """Return them in another order."""
        return Axes(tuple(self.each[index] for index in order))

    def with_axis(self, index: int, axis: Axis) -> Axes:
        """Return the same but for one axis."""
        each = list(self.each)
        each[index] = axis
        return Axes(tuple(each))

    def reshaped(self, shape: Sequence[int]) -> Axes:
        """Return what a reshape makes of them.

        Args:
            shape: The new sizes, of as many elements.
        """
        axes: list[Axis] = []
        for old, sizes in _groups(self.each, shape):
            if len(old) == len(sizes) == 1:
                axes += old
            elif any(axis.placeless for axis in old):
                axes += [Axis.whole(UNKNOWN, size) for size in sizes]
            else:
                axes += _regrouped([part for axis in old for part in axis.parts], sizes)
        return Axes(tuple(axes))


def _groups(axes: Sequence[Axis], shape: Sequence[int]) -> Iterator[tuple[list[Axis], list[int]]]:
    """Pair the fewest axes with the fewest new sizes that multiply to the same."""
    old: list[Axis] = []
    new: list[int] = []
    before, after = list(axes), list(shape)
    while before or after:
        left, right = math.prod(axis.size for axis in old), math.prod(new)
        if old and new and left == right:
            yield old, new
            old, new = [], []
        elif before and (left <= right or not after):
            old.append(before.pop(0))
        else:
            new.append(after.pop(0))
    yield old, new


def _regrouped(parts: list[Part], sizes: Sequence[int]) -> list[Axis]:
    """Hand parts out to axes of these sizes, in their order; divide those that two axes share."""
    axes = []
    rest = list(parts)
    for size in sizes:
        taken: list[Part] = []
        missing = size
        while rest and (missing > 1 or rest[0].size == 1):
            part = rest.pop(0)
            if part.size % missing == 0 and part.size > missing:
                part, inner = part.split(missing)
                rest.insert(0, inner)
            if missing % part.size:
                return [Axis.whole(UNKNOWN, each) for each in sizes]
            missing //= part.size
            taken.append(part)
        axes.append(Axis(size, tuple(_joined(taken))))
    return axes


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Put digits of the same thing that follow each other together again."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and last.letter == part.letter and last.unit == part.unit * part.size:
            joined[-1] = part._replace(size=last.size * part.size)
        else:
            joined.append(part)
    return joined
