"""The meaning of each axis of a layer's features, and how a new layout changes it.

Convolutional networks lay out features as N×C×H×W, Swin as N×H×W×C, and other vision transformers
as N×T×C, where prefix tokens without a position precede those that have one. Sizes alone cannot
tell these apart, so `live_cam.network.axis_tracing` traces each axis from the image onwards.
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
    """What an axis counts, or some digits of it: of rows, the window or the row within it."""

    letter: str
    """N images, C channels, H rows, W columns, `-` unknown."""
    size: int
    """The number of its values."""
    unit: int
    """The number of rows, columns or channels between two consecutive values."""
    extent: int
    """The total number of rows, columns or channels."""

    def split(self, first: int) -> tuple[Part, Part]:
        """Return the leading digits, which have `first` values, and the remaining ones."""
        rest = self.size // first
        return self._replace(size=first, unit=self.unit * rest), self._replace(size=rest)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of features."""

    size: int
    """The number of its elements."""
    parts: tuple[Part, ...]
    """What it counts, slowest first."""
    prefix: int = 0
    """How many elements precede those that the parts count: class token, registers."""

    @classmethod
    def whole(cls, letter: str, size: int) -> Axis:
        """Return an axis that counts one thing, given by a letter of `Part`."""
        return cls(size, (Part(letter, size, 1, size),))

    @property
    def role(self) -> str:
        """The letter of what it counts; T for rows by columns, `-` for anything else."""
        parts = [part for part in self.parts if part.size > 1] or self.parts[:1]
        letters = "".join(part.letter for part in parts)
        # A window index alone roughly locates a feature; a row index within a window does not.
        if letters in ("H", "W", "HW") and all(
            part.size * part.unit == part.extent for part in parts
        ):
            return "T" if letters == "HW" else letters
        if set(letters) == {"C"} and math.prod(part.size for part in parts) == parts[0].extent:
            return "C"
        return "N" if letters == "N" else UNKNOWN

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens that it counts."""
        sizes = {part.letter: part.size for part in self.parts if part.size > 1}
        return sizes.get("H", 1), sizes.get("W", 1)

    def fitted(self, size: int) -> Axis:
        """Return what remains known of this axis when its size becomes `size`."""
        if size == self.size:
            return self
        role = self.role
        if role in "CHW":
            return Axis.whole(role, size)
        if role == "T" and size == math.prod(self.grid):
            return replace(self, size=size, prefix=0)
        return Axis.whole(UNKNOWN, size)


@dataclass(frozen=True, slots=True)
class Axes:
    """The meaning of all axes of a tensor of features."""

    dims: tuple[Axis, ...]
    """One `Axis` per dimension."""

    @classmethod
    def of(cls, roles: str, shape: Sequence[int]) -> Axes:
        """Return axes that count one thing each, given by one letter of `Part` per dimension."""
        return cls(tuple(map(Axis.whole, roles, shape)))

    @property
    def roles(self) -> str:
        """One letter per axis: NCHW, NHWC, NTC; `-` for an unknown axis."""
        roles = "".join(axis.role for axis in self.dims)
        missing = set("NCT" if "T" in roles else "NCHW") - set(roles)
        if missing == {"C"} and roles.count(UNKNOWN) == 1:
            # The only axis left must hold the channels, even if they were rearranged.
            return roles.replace(UNKNOWN, "C")
        return roles

    @property
    def are_maps(self) -> bool:
        """Whether the position of each feature in the image is known."""
        return sorted(self.roles) in (sorted("NCHW"), sorted("NCT"))

    @property
    def prefix_tokens(self) -> int:
        """The number of tokens without a position in the image."""
        return sum(axis.prefix for axis in self.dims)

    def as_maps(self, features: Tensor) -> Tensor:
        """Return features as N×K×h×w, without prefix tokens.

        Args:
            features: The tensor that these axes describe, or its gradient.

        Raises:
            UsageError: Channels, rows and columns are not all known.
        """
        roles = self.roles
        if roles == "NCHW":
            return features
        if not self.are_maps:
            raise UsageError(
                f"the target layer outputs {'×'.join(map(str, features.shape))}, which is neither "
                "a map of features (N×C×H×W or N×H×W×C) nor tokens with known positions (N×T×C); "
                "choose another one with `layer`."
            )
        if "T" not in roles:
            return features.permute(*map(roles.index, "NCHW"))
        tokens = self.dims[roles.index("T")]
        ordered = features.permute(*map(roles.index, "NCT"))
        placed = ordered.narrow(2, tokens.prefix, math.prod(tokens.grid))
        return placed.reshape(*placed.shape[:2], *tokens.grid)

    def permuted(self, order: Sequence[int]) -> Axes:
        """Return the axes in another order."""
        return Axes(tuple(self.dims[index] for index in order))

    def with_axis(self, index: int, axis: Axis) -> Axes:
        """Return a copy with one axis replaced."""
        dims = list(self.dims)
        dims[index] = axis
        return Axes(tuple(dims))

    def reshaped(self, shape: Sequence[int]) -> Axes:
        """Return the axes after a reshape.

        Args:
            shape: The new sizes, with the same number of elements.
        """
        axes: list[Axis] = []
        for old, sizes in _groups(self.dims, shape):
            if len(old) == len(sizes) == 1:
                axes += old
            elif any(axis.prefix for axis in old):
                axes += [Axis.whole(UNKNOWN, size) for size in sizes]
            else:
                axes += _regrouped([part for axis in old for part in axis.parts], sizes)
        return Axes(tuple(axes))


def _groups(axes: Sequence[Axis], shape: Sequence[int]) -> Iterator[tuple[list[Axis], list[int]]]:
    """Pair the fewest axes with the fewest new sizes of the same product."""
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
    """Distribute parts in order over axes of these sizes; split parts that two axes share."""
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
                return [Axis.whole(UNKNOWN, size) for size in sizes]
            missing //= part.size
            taken.append(part)
        axes.append(Axis(size, tuple(_joined(taken))))
    return axes


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Merge consecutive digits of the same thing."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and last.letter == part.letter and last.unit == part.unit * part.size:
            joined[-1] = part._replace(size=last.size * part.size)
        else:
            joined.append(part)
    return joined
