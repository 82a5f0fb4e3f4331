"""Follows the axes of an image through a network, function by function, in one forward pass.

The image is N×3×H×W, and each function on the way says what it does to the axes: a convolution
makes channels of the second one, a linear layer of the last one, a permutation moves them, a
reshape merges them or takes them apart. What sums over them (attention's products) loses them;
they come back with what is added to it around it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from live_cam.network.axes import UNKNOWN, Axes, Axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence


class AxesFollower(TorchFunctionMode):
    """Follows the axes of images through everything that torch does inside its `with` block.

    Example:
        with AxesFollower(x) as follower:
            features = trunk(x)
        follower.axes_of(features)
    """

    def __init__(self, x: Tensor) -> None:
        """Begin with images.

        Args:
            x: N×3×H×W: the very tensor that is given to the network.
        """
        super().__init__()
        self._known: MutableMapping[Tensor, Axes] = WeakTensorKeyDictionary()
        self._known[x] = Axes.of("NCHW", x.shape)

    def axes_of(self, features: Tensor) -> Axes:
        """Return what is known of a tensor's axes."""
        return self._known.get(features, Axes.of(UNKNOWN * features.ndim, features.shape))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do what torch was asked for, and note what became of the axes."""
        kwargs = kwargs or {}
        operands = [
            _Operand(each.shape, self._known.get(each))
            for each in _tensors((*args, *kwargs.values()))
        ]
        result = func(*args, **kwargs)
        call = _Call(func, args, kwargs, operands)
        for each in _tensors((result,)):
            axes = _RULES.get(_name(func), _combined)(call, each.shape)
            if axes:
                self._known[each] = axes
            else:
                self._known.pop(each, None)
        return result


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (each for each in value if isinstance(each, Tensor))


def _name(func: Callable[..., Any]) -> str:
    """Return `permute` for `x.permute`, `relu` for `x.relu_` and `mT` for `x.mT`."""
    name: str = getattr(func, "__name__", "")
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "")
    return name if name.startswith("__") else name.rstrip("_")


class _Operand(NamedTuple):
    shape: Sequence[int]
    axes: Axes | None


class _Call(NamedTuple):
    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    operands: Sequence[_Operand]

    @property
    def axes(self) -> Axes | None:
        """Of the first operand."""
        return self.operands[0].axes if self.operands else None

    @property
    def dim(self) -> int:
        """The axis that the function works along."""
        named = [self.kwargs[name] for name in ("dim", "axis") if name in self.kwargs]
        return int([*named, *self.args[1:2], 0][0])


# What functions make of axes: given a call and the shape of what it gave; None: nothing is left.


def _combined(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Put together what is known of tensors that are added up, or of one that goes through."""
    known = [
        each.axes.each for each in call.operands if each.axes and len(each.shape) == len(shape)
    ]
    axes = []
    for size, candidates in zip(shape, zip(*known, strict=True), strict=bool(known)):
        told = [axis for axis in candidates if axis.role != UNKNOWN] or list(candidates)
        alike = [axis for axis in told if axis.size == size]
        axes.append((alike or told)[0].fitted(size))
    return Axes(tuple(axes)) if axes else None


def _convolved(call: _Call, shape: Sequence[int]) -> Axes | None:
    if len(shape) != len("NCHW"):
        return None
    axes = _combined(call, shape) or Axes.of("NCHW", shape)  # which torch's definition of it says
    return axes.with_axis(1, Axis.whole("C", shape[1]))


def _mapped_linearly(call: _Call, shape: Sequence[int]) -> Axes | None:
    axes = _combined(call, shape)
    if axes is None:
        return None
    mixes_places = bool(set("HW") & {part.letter for part in axes.each[-1].parts})
    return axes.with_axis(-1, Axis.whole(UNKNOWN if mixes_places else "C", shape[-1]))


def _concatenated(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Count the tokens that were put before those that have a place."""
    axes, dim = _combined(call, shape), call.dim
    if axes is None:
        return None
    along = [operand.axes.each[dim] if operand.axes else None for operand in call.operands]
    tokens = [index for index, axis in enumerate(along) if axis and axis.role == "T"]
    if len(tokens) != 1:
        letter = "C" if axes.each[dim].role == "C" else UNKNOWN
        return axes.with_axis(dim, Axis.whole(letter, shape[dim]))
    axis = along[tokens[0]]
    assert axis is not None
    before = sum(operand.shape[dim] for operand in call.operands[: tokens[0]])
    return axes.with_axis(dim, Axis(shape[dim], axis.parts, axis.placeless + before))


def _reshaped(call: _Call, shape: Sequence[int]) -> Axes | None:
    whole = call.operands and math.prod(call.operands[0].shape) == math.prod(shape)
    return call.axes.reshaped(shape) if call.axes and whole else None


def _permuted(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Find out the new order by permuting a tensor whose sizes are the axes' numbers."""
    numbered = torch.empty(tuple(range(len(shape))), device="meta")
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    order = call.func(numbered, *call.args[1:], **options).shape
    return call.axes.permuted(order) if call.axes else None


def _unbound(call: _Call, shape: Sequence[int]) -> Axes | None:
    gone = call.dim % (len(shape) + 1)
    kept = [index for index in range(len(shape) + 1) if index != gone]
    return call.axes.permuted(kept) if call.axes else None


def _indexed(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Drop the axes that a number was given for; indices of other kinds lose them all."""
    index = call.args[1]
    parts = index if isinstance(index, tuple) else (index,)
    if not call.axes or not all(each is ... or isinstance(each, (int, slice)) for each in parts):
        return None
    unnamed = len(call.axes.each) - sum(part is not ... for part in parts)
    if ... not in parts:
        parts = (*parts, ...)
    kept: list[int] = []
    position = 0
    for part in parts:
        count = unnamed if part is ... else 1
        if not isinstance(part, int):
            kept += range(position, position + count)
        position += count
    axes = call.axes.permuted(kept)
    each = [axis.fitted(size) for axis, size in zip(axes.each, shape, strict=True)]
    return Axes(tuple(each))


def _lost(_call: _Call, _shape: Sequence[int]) -> None:
    """What sums over an axis of both its operands has the axes of neither."""


_RULES: Final[dict[str, Callable[[_Call, Sequence[int]], Axes | None]]] = {
    "conv2d": _convolved,
    "linear": _mapped_linearly,
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenated),
    **dict.fromkeys(("reshape", "reshape_as", "view", "view_as"), _reshaped),
    **dict.fromkeys(("flatten", "unflatten", "squeeze", "unsqueeze"), _reshaped),
    **dict.fromkeys(("permute", "transpose", "movedim", "moveaxis"), _permuted),
    **dict.fromkeys(("swapaxes", "swapdims", "t", "T", "mT"), _permuted),
    "unbind": _unbound,
    "__getitem__": _indexed,
    **dict.fromkeys(("matmul", "__matmul__", "__rmatmul__", "bmm", "baddbmm"), _lost),
    **dict.fromkeys(("einsum", "tensordot"), _lost),
}
