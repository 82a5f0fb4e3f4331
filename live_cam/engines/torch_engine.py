"""The torch engine: the cut network, optimised once for all frames."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from live_cam.cam.gradcam import CAMResult, Evidence, wanted_classes
from live_cam.engines.closed_form import find_form
from live_cam.engines.engine import Engine, read_back, to_cpu
from live_cam.engines.head import AutogradHead, ClosedFormHead, Head
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut
    from live_cam.network.precision import Precision

_CAST = (nn.Conv2d, nn.Linear)
_WARM_UPS = 3


class TorchEngine(Engine):
    """Runs the trunk without a tape, and the head with one or in closed form.

    The trunk's batch normalisations are folded into its convolutions (Jacob et al. 2018,
    section 3.2), and its weights are stored channels last, the layout that CPUs and tensor cores
    read fastest. A half precision casts the weights once. On CUDA the forward pass and the gradient
    are one CUDA graph, so a frame costs one launch and one wait.
    """

    name = "torch"

    def __init__(
        self,
        classifier: Classifier,
        halves: Cut,
        precision: Precision,
        device: torch.device,
    ) -> None:
        """Optimise both halves of a network.

        Args:
            classifier: The network's labels and input.
            halves: The network, cut at its target layer; they are not changed.
            precision: The number format.
            device: The network's device.
        """
        self.precision = precision.name
        self.device = str(device)
        self.exact = precision.dtype is torch.float32
        self._precision = precision
        self._classes = len(classifier.labels)
        folded = fuse(halves.trunk, no_trace=True)
        self._trunk = _channels_last(_cast_weights(folded, precision.dtype))
        self._tape = self._autograd_head(halves, classifier)
        self._head = self._closed_form(halves, classifier, device) or self._tape
        self._graph: _CUDAGraph | None = None
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            self._graph = _CUDAGraph(self._run)

    def _closed_form(
        self, halves: Cut, classifier: Classifier, device: torch.device
    ) -> Head | None:
        if not self.exact:
            return None
        example = torch.zeros(1, 3, *classifier.input_size, device=device)
        form, _ = find_form(halves, classifier.axes, example)
        return ClosedFormHead(form.logits, form.pooled_gradient) if form is not None else None

    def _autograd_head(self, halves: Cut, classifier: Classifier) -> AutogradHead:
        # Cast in a copy: the head's layers are the network's own.
        dtype, head = self._precision.dtype, halves.head
        own = head if self.exact else _cast_weights(copy.deepcopy(head), dtype)
        return AutogradHead(own, classifier.axes, self._precision)

    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        timer = timer or StageTimer()
        wanted = wanted_classes(class_index, len(x), self._classes)
        while True:
            with timer.stage("explain"):
                if self._graph:
                    result = read_back(self._graph(x, wanted.to(x.device)))
                else:
                    result = read_back(self._head.explain(self._features(x), wanted))
            if bool(torch.isfinite(result.cam).all() & torch.isfinite(result.logits).all()):
                return result
            self._precision.lower_scale(hopeless=not bool(torch.isfinite(result.logits).all()))
            if self._graph:
                self._graph.release()

    def _run(self, x: Tensor, wanted: Tensor) -> CAMResult:
        return self._head.explain(self._features(x), wanted)

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad(), self._precision.autocast():
            features: tuple[Tensor, ...] = self._trunk(x.to(memory_format=torch.channels_last))
            return features

    def evidence(self, x: Tensor, classes: Tensor, timer: StageTimer | None = None) -> Evidence:
        with (timer or StageTimer()).stage("explain"):
            return to_cpu(self._tape.evidence(self._features(x), classes))

    def logits(self, x: Tensor) -> Tensor:
        with self._precision.autocast():
            return self._head.logits(self._features(x)).float()

    def close(self) -> None:
        """Release the captured graphs. May be called twice."""
        if self._graph:
            self._graph.release()


def _cast_weights(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Cast the weights that autocast would cast for each frame, in place.

    Subclasses are left to autocast: attention reads the weights of its projection directly.
    """
    for layer in module.modules():
        if type(layer) in _CAST and dtype is not torch.float32:
            layer.to(dtype)
    return module


def _channels_last(module: nn.Module) -> nn.Module:
    """Store the convolutions' weights channels last, in place, and no other tensor."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)
    return module


class _CUDAGraph:
    """A function of two tensors, captured once for each input shape and replayed.

    One launch replaces some hundred. The function must not wait for the device. It first runs a few
    times on a stream of its own, in which cuDNN chooses its algorithms and autograd its buffers
    (PyTorch's notes on CUDA semantics, "CUDA Graphs").
    """

    def __init__(self, function: Callable[[Tensor, Tensor], CAMResult]) -> None:
        """Wrap the function, which is captured in the first call."""
        self._function = function
        self._captured: dict[tuple[int, ...], _Captured] = {}

    def __call__(self, x: Tensor, wanted: Tensor) -> CAMResult:
        """Return the function's result, which the next call of the same shape overwrites.

        Args:
            x: N×3×H×W, on a CUDA device.
            wanted: N int64, on the same device.
        """
        shape = tuple(x.shape)
        if shape not in self._captured:
            self._captured[shape] = _Captured(self._function, x, wanted)
        return self._captured[shape].replay(x, wanted)

    def release(self) -> None:
        """Release the captured graphs; the next call captures again."""
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
