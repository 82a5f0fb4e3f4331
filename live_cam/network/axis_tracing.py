"""Traces the axes of an image through a network, function by function, in one forward pass.

The image is N×3×H×W, and each function has a known effect on the axes: a convolution turns the
second one into channels, a linear layer the last one, a permutation moves axes, a reshape merges or
splits them. Functions that sum over axes (attention's products) lose them; the residual connection
around attention restores them.
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


class AxisTracer(TorchFunctionMode):
    """Traces the axes of images through every torch function called inside its `with` block.

    Example:
        with AxisTracer(x) as tracer:
            features = trunk(x)
        tracer.axes_of(features)
    """

    def __init__(self, x: Tensor) -> None:
        """Start from images.

        Args:
            x: N×3×H×W, the same tensor object that the network receives.
        """
        super().__init__()
        self._known: MutableMapping[Tensor, Axes] = WeakTensorKeyDictionary()
        self._known[x] = Axes.of("NCHW", x.shape)

    def axes_of(self, features: Tensor) -> Axes:
        """Return what is known about the axes of a tensor."""
        return self._known.get(features, Axes.of(UNKNOWN * features.ndim, features.shape))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function and record the axes of its results."""
        kwargs = kwargs or {}
        operands = [
            _Operand(tensor.shape, self._known.get(tensor))
            for tensor in _tensors((*args, *kwargs.values()))
        ]
        result = func(*args, **kwargs)
        call = _Call(func, args, kwargs, operands)
        for tensor in _tensors((result,)):
            axes = _RULES.get(_name(func), _combined)(call, tensor.shape)
            if axes:
                self._known[tensor] = axes
            else:
                self._known.pop(tensor, None)
        return result


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (item for item in value if isinstance(item, Tensor))


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
        """The axes of the first operand."""
        return self.operands[0].axes if self.operands else None

    @property
    def dim(self) -> int:
        """The index of the axis that the function works along."""
        named = [self.kwargs[name] for name in ("dim", "axis") if name in self.kwargs]
        return int([*named, *self.args[1:2], 0][0])


# Rules: from a call and the shape of its result to the result's axes, or None if they are unknown.


def _combined(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Combine what is known about the operands of an elementwise function."""
    known = [
        operand.axes.dims
        for operand in call.operands
        if operand.axes and len(operand.shape) == len(shape)
    ]
    axes = []
    for size, candidates in zip(shape, zip(*known, strict=True), strict=bool(known)):
        named = [axis for axis in candidates if axis.role != UNKNOWN] or list(candidates)
        of_this_size = [axis for axis in named if axis.size == size]
        axes.append((of_this_size or named)[0].fitted(size))
    return Axes(tuple(axes)) if axes else None


def _convolved(call: _Call, shape: Sequence[int]) -> Axes | None:
    if len(shape) != len("NCHW"):
        return None
    axes = _combined(call, shape) or Axes.of("NCHW", shape)  # by torch's definition
    return axes.with_axis(1, Axis.whole("C", shape[1]))


def _mapped_linearly(call: _Call, shape: Sequence[int]) -> Axes | None:
    axes = _combined(call, shape)
    if axes is None:
        return None
    mixes_positions = bool(set("HW") & {part.letter for part in axes.dims[-1].parts})
    return axes.with_axis(-1, Axis.whole(UNKNOWN if mixes_positions else "C", shape[-1]))


def _concatenated(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Count the tokens that were put before those with a position."""
    axes, dim = _combined(call, shape), call.dim
    if axes is None:
        return None
    along = [operand.axes.dims[dim] if operand.axes else None for operand in call.operands]
    tokens = [index for index, axis in enumerate(along) if axis and axis.role == "T"]
    if len(tokens) != 1:
        letter = "C" if axes.dims[dim].role == "C" else UNKNOWN
        return axes.with_axis(dim, Axis.whole(letter, shape[dim]))
    axis = along[tokens[0]]
    assert axis is not None
    before = sum(operand.shape[dim] for operand in call.operands[: tokens[0]])
    return axes.with_axis(dim, Axis(shape[dim], axis.parts, axis.prefix + before))


def _reshaped(call: _Call, shape: Sequence[int]) -> Axes | None:
    whole = call.operands and math.prod(call.operands[0].shape) == math.prod(shape)
    return call.axes.reshaped(shape) if call.axes and whole else None


def _permuted(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Find the new order by permuting a tensor whose sizes are its axis indices."""
    numbered = torch.empty(tuple(range(len(shape))), device="meta")
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    order = call.func(numbered, *call.args[1:], **options).shape
    return call.axes.permuted(order) if call.axes else None


def _unbound(call: _Call, shape: Sequence[int]) -> Axes | None:
    removed = call.dim % (len(shape) + 1)
    kept = [index for index in range(len(shape) + 1) if index != removed]
    return call.axes.permuted(kept) if call.axes else None


def _indexed(call: _Call, shape: Sequence[int]) -> Axes | None:
    """Drop the axes indexed by a number; indices other than numbers and slices lose all axes."""
    index = call.args[1]
    parts = index if isinstance(index, tuple) else (index,)
    if not call.axes or not all(part is ... or isinstance(part, (int, slice)) for part in parts):
        return None
    unnamed = len(call.axes.dims) - sum(part is not ... for part in parts)
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
    dims = [axis.fitted(size) for axis, size in zip(axes.dims, shape, strict=True)]
    return Axes(tuple(dims))


def _lost(_call: _Call, _shape: Sequence[int]) -> None:
    """Lose all axes: the result of a sum over both operands has the axes of neither."""


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
