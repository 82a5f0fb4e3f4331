"""One CUDA graph in the place of some hundred kernel launches a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from live_cam.cam.gradcam import CAMResult

_WARM_UPS = 3


class CUDAGraph:
    """Captures a function of two tensors once for each of their shapes, and replays it.

    The function must not wait for the device. It is run a few times before it is captured, on a
    stream of its own, so that cuDNN has chosen its algorithms and autograd its buffers (PyTorch's
    notes on CUDA semantics, "CUDA Graphs").
    """

    def __init__(self, function: Callable[[Tensor, Tensor], CAMResult]) -> None:
        """Take the function; it is captured when it is first called."""
        self._function = function
        self._captured: dict[tuple[int, ...], _Captured] = {}

    def __call__(self, x: Tensor, wanted: Tensor) -> CAMResult:
        """Return what the function returns; the next call of the same shape overwrites it.

        Args:
            x: N×3×H×W, on a CUDA device.
            wanted: N int64, on the same device.
        """
        shape = tuple(x.shape)
        if shape not in self._captured:
            self._captured[shape] = _Captured(self._function, x, wanted)
        return self._captured[shape].replay(x, wanted)

    def forget(self) -> None:
        """Let go of what was captured, so that the next call captures anew."""
        self._captured.clear()


class _Captured:
    def __init__(
        self, function: Callable[[Tensor, Tensor], CAMResult], x: Tensor, wanted: Tensor
    ) -> None:
        self._x = x.clone()
        self._wanted = wanted.clone()
        stream = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                function(self._x, self._wanted)
        torch.cuda.current_stream(x.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = function(self._x, self._wanted)

    def replay(self, x: Tensor, wanted: Tensor) -> CAMResult:
        self._x.copy_(x, non_blocking=True)
        self._wanted.copy_(wanted, non_blocking=True)
        self._graph.replay()
        return self._result
