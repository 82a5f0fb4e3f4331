"""The OpenVINO engine: the trunk in Intel's runtime, on its CPUs, GPUs and NPUs.

The gradient at OpenVINO's activations is always float32, by torch's tape or in closed form.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from live_cam.cam.gradcam import CAMResult, Evidence, wanted_classes
from live_cam.engines.closed_form import find_form
from live_cam.engines.conversion import ModulePart, convert, openvino_runtime
from live_cam.engines.engine import Engine
from live_cam.engines.faults import reason
from live_cam.engines.head import AutogradHead, ClosedFormHead, Head
from live_cam.errors import EngineError, NonFiniteError
from live_cam.network.precision import Precision
from live_cam.runtime.timing import StageTimer

if TYPE_CHECKING:
    import threading

    import openvino
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.engines.closed_form import ClosedForm
    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}


class OpenVINOEngine(Engine):
    """Runs the trunk in OpenVINO, and also the head if it has a closed form."""

    name = "openvino"

    def __init__(
        self,
        classifier: Classifier,
        halves: Cut,
        precision: str = "fp32",
        device: str = "cpu",
        models: Models | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Convert the network, unless `models` are given, and compile it for the device.

        Args:
            classifier: The network's labels and input.
            halves: The network, cut at its target layer; on the CPU.
            precision: `fp32`, `bf16`, `fp16` or, for quantised models, `int8`.
            device: One of `openvino_devices()`.
            models: The models to run instead of the converted network: its quantised form.
            stop: As in `conversion.convert`.

        Raises:
            EngineError: OpenVINO is not installed, or cannot run this network on the device.
        """
        self.precision = precision
        self.device = device
        self.exact = precision == "fp32"
        self._classes = len(classifier.labels)
        models = models or convert_halves(classifier, halves, stop)
        self._trunk = _Compiled(models.trunk, device, precision)
        self._tape = AutogradHead(halves.head, classifier.axes, Precision("fp32"))
        self._head: Head = self._tape
        if models.head is not None and models.gradient is not None:
            gradient = _Compiled(models.gradient, "cpu", "fp32")
            self._head = ClosedFormHead(
                _Compiled(models.head, device, precision),
                lambda *inputs: gradient(*inputs)[0],
            )

    def explain(
        self,
        x: Tensor,
        class_index: int | Tensor | None = None,
        timer: StageTimer | None = None,
    ) -> CAMResult:
        wanted = wanted_classes(class_index, len(x), self._classes)
        with (timer or StageTimer()).stage("explain"):
            results = [
                self._head.explain(self._trunk(x[index : index + 1]), wanted[index : index + 1])
                for index in range(len(x))
            ]
        result = CAMResult(*(torch.cat(parts) for parts in zip(*results, strict=True)))
        if not bool(torch.isfinite(result.cam).all() & torch.isfinite(result.logits).all()):
            raise NonFiniteError(
                f"the network's logits or gradients are not finite in OpenVINO {self.precision}; "
                "use `engine=torch`, or check the weights."
            )
        return result

    def evidence(self, x: Tensor, classes: Tensor, timer: StageTimer | None = None) -> Evidence:
        with (timer or StageTimer()).stage("explain"):
            parts = [self._tape.evidence(self._trunk(x[i : i + 1]), classes) for i in range(len(x))]
        return Evidence(*map(torch.cat, zip(*parts, strict=True)))

    def logits(self, x: Tensor) -> Tensor:
        parts = [self._head.logits(self._trunk(x[i : i + 1])) for i in range(len(x))]
        return torch.cat(parts)

    def close(self) -> None:
        """Do nothing: only memory is released. May be called twice."""


class Models(NamedTuple):
    """A network as OpenVINO models. A head without a closed form runs in torch."""

    trunk: openvino.Model
    """From 1×3×H×W to the target layer's activations and the head's other inputs."""
    head: openvino.Model | None = None
    """From the activations to the logits and the outputs of the head's ReLUs."""
    gradient: openvino.Model | None = None
    """From a class and the outputs of the ReLUs to the pooled gradient, in float32."""


def convert_halves(
    classifier: Classifier, halves: Cut, stop: threading.Event | None = None
) -> Models:
    """Convert both halves of a network without quantising them.

    Args:
        classifier: The network's input.
        halves: The network, cut at its target layer.
        stop: As in `conversion.convert`.

    Raises:
        EngineError: OpenVINO is not installed or lacks one of the network's operations.
    """
    x = torch.zeros(1, 3, *classifier.input_size)
    form, activation = find_form(halves, classifier.axes, x)
    parts = [ModulePart(halves.trunk, (x,))]
    if form is not None:
        parts += [ModulePart(form.logits, (activation,)), gradient_part(form, activation)]
    return Models(*convert(parts, stop))


def gradient_part(form: ClosedForm, activation: Tensor) -> ModulePart:
    """Return the pooled gradient of a closed form, for conversion."""
    with torch.no_grad():
        _, *hidden = form.logits(activation)
    return ModulePart(form.pooled_gradient, (torch.zeros(1, dtype=torch.int64), *hidden))


def openvino_devices() -> tuple[str, ...]:
    """Return OpenVINO's devices: `cpu`, `gpu`, `npu`; none if OpenVINO is not installed."""
    if importlib.util.find_spec("openvino") is None:
        return ()
    names = openvino_runtime().Core().available_devices
    return tuple(sorted({name.partition(".")[0].lower() for name in names}))


class _Compiled:
    """A model compiled for a device, called with tensors."""

    def __init__(self, model: openvino.Model, device: str, precision: str) -> None:
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            # Threads that are pinned to a core wait while another thread, such as the one that
            # draws, runs on it.
            "ENABLE_CPU_PINNING": False,
        }
        if device != "cpu":
            del options["INFERENCE_NUM_THREADS"], options["ENABLE_CPU_PINNING"]
        try:
            compiled = openvino_runtime().Core().compile_model(model, device.upper(), options)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot run this network on {device} in {precision} "
                f"({reason(error)}); use `engine=torch`."
            ) from error
        self._request = compiled.create_infer_request()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return copies of the outputs: the next call overwrites OpenVINO's own."""
        # By numpy, as torch's threads would keep spinning on OpenVINO's cores.
        arrays: list[NDArray[np.generic]] = [
            np.ascontiguousarray(tensor.numpy()) for tensor in inputs
        ]
        self._request.infer(dict(enumerate(arrays)), share_inputs=True)
        outputs = self._request.output_tensors
        return tuple(torch.from_numpy(np.array(tensor.data)) for tensor in outputs)
