"""The engine of torch alone: the cut network, made ready once so that no frame repeats work."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from live_cam.cam.gradcam import CAMResult, Evidence, wanted_classes
from live_cam.engines.closed_form import find_form
from live_cam.engines.cuda_graph import CUDAGraph
from live_cam.engines.engine import Engine, read_back, to_cpu
from live_cam.engines.head import AutogradHead, ClosedFormHead, Head
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    from torch import Tensor

    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut
    from live_cam.network.precision import Precision

_CAST = (nn.Conv2d, nn.Linear)


class TorchEngine(Engine):
    """Runs the trunk without a tape, and the head with one or in closed form.

    The trunk's batch normalisations are folded into its convolutions (Jacob et al. 2018,
    section 3.2) and its weights laid out channels last, as the convolutions of CPUs and tensor
    cores read them; for a half precision the weights are cast once. On CUDA the forward pass and
    the gradient are one CUDA graph, and a frame costs one launch and one wait.
    """

    name = "torch"

    def __init__(
        self,
        classifier: Classifier,
        halves: Cut,
        precision: Precision,
        device: torch.device,
    ) -> None:
        """Make both halves of a network ready.

        Args:
            classifier: The network's labels and input.
            halves: The network, cut at its target layer. Left as they are.
            precision: The number format.
            device: Where the network is.
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
        self._graph: CUDAGraph | None = None
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            self._graph = CUDAGraph(self._run)

    def _closed_form(
        self, halves: Cut, classifier: Classifier, device: torch.device
    ) -> Head | None:
        if not self.exact:
            return None
        example = torch.zeros(1, 3, *classifier.input_size, device=device)
        form, _ = find_form(halves, classifier.axes, example)
        return ClosedFormHead(form.scores, form.pooled_gradient) if form is not None else None

    def _autograd_head(self, halves: Cut, classifier: Classifier) -> AutogradHead:
        # A copy, where it is cast, for the head's layers are the network's own.
        dtype, head = self._precision.dtype, halves.head
        own = head if self.exact else _cast_weights(copy.deepcopy(head), dtype)
        return AutogradHead(own, classifier.axes, self._precision)

    def __call__(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        timer = timer or StageTimer()
        wanted = wanted_classes(class_index, len(x), self._classes)
        while True:
            with timer.stage("explain"):
                result = read_back((self._graph or self._run)(x, wanted.to(x.device)))
            if bool(torch.isfinite(result.cam).all() & torch.isfinite(result.logits).all()):
                return result
            self._precision.lower_scale(hopeless=not bool(torch.isfinite(result.logits).all()))
            if self._graph:
                self._graph.forget()

    def _run(self, x: Tensor, wanted: Tensor) -> CAMResult:
        return self._head(self._features(x), wanted)

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad(), self._precision.autocast():
            features: tuple[Tensor, ...] = self._trunk(x.to(memory_format=torch.channels_last))
            return features

    def evidence(self, x: Tensor, wanted: Tensor, timer: StageTimer | None = None) -> Evidence:
        with (timer or StageTimer()).stage("explain"):
            return to_cpu(self._tape.evidence(self._features(x), wanted))

    def scores(self, x: Tensor) -> Tensor:
        with self._precision.autocast():
            return self._head.scores(self._features(x)).float()

    def close(self) -> None:
        """Let go of what was captured. May be called twice."""
        if self._graph:
            self._graph.forget()


def _cast_weights(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Cast, in place, the weights that autocast would cast anew for each frame.

    Subclasses are left to autocast, since attention reads its projection's weights by itself.
    """
    for layer in module.modules():
        if type(layer) in _CAST and dtype is not torch.float32:
            layer.to(dtype)
    return module


def _channels_last(module: nn.Module) -> nn.Module:
    """Lay the convolutions' weights out, in place, as they are read; no other tensor is theirs."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)
    return module
