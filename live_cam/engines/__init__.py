"""Engines: implementations of the same explanations, from the plainest to the fastest.

- `hook`: Grad-CAM by a hook on the unchanged network. It explains any network.
- `torch`: the network cut in two at the target layer, optimised once for all frames.
- `openvino`: the trunk in OpenVINO, in float32 or int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from live_cam.engines.engine import Engine
from live_cam.engines.hook import HookEngine
from live_cam.engines.int8 import open_int8
from live_cam.engines.openvino import OpenVINOEngine, openvino_devices
from live_cam.engines.torch_engine import TorchEngine
from live_cam.errors import UsageError
from live_cam.network.cut import Cut, cut
from live_cam.network.precision import Precision
from live_cam.settings import ENGINES as ENGINE_CHOICES

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from live_cam.network.classifier import Classifier

__all__ = ["ENGINES", "Engine", "available_engines", "open_engine"]

ENGINES: Final = tuple(name for name in ENGINE_CHOICES if name != "auto")


def available_engines(device: torch.device) -> tuple[str, ...]:
    """Return the engines that are installed and support a device, the plain one first."""
    openvino = ("openvino",) if device.type == "cpu" and openvino_devices() else ()
    return ("hook", "torch", *openvino)


def open_engine(
    name: str,
    classifier: Classifier,
    *,
    precision: str = "auto",
    device: torch.device | None = None,
    accelerator: str = "cpu",
    halves: Cut | None = None,
    frames: Sequence[NDArray[np.uint8]] = (),
    stop: threading.Event | None = None,
) -> Engine:
    """Open an engine on a network.

    Args:
        name: `hook`, `torch` or `openvino`.
        classifier: The network, on `device`.
        precision: One of `settings.PRECISIONS`; `int8` with `openvino` alone.
        device: The network's device, by default the CPU.
        accelerator: For `openvino`, one of `openvino_devices()`.
        halves: The network, cut at its target layer. By default it is cut now; that must have
            happened before if other threads run the network or it has hooks.
        frames: H×W×3 BGR, to calibrate `int8` on in addition to the demo's photos.
        stop: Aborts a running conversion or quantisation when set. Passing one means that other
            threads run networks meanwhile.

    Raises:
        EngineError: The engine is not installed or cannot run this network.
        UsageError: There is no such engine, or it lacks the precision.
    """
    device = device or torch.device("cpu")
    if name not in ENGINES:
        raise UsageError(f"there is no engine {name!r}; choose {', '.join(ENGINES)}.")
    if name == "hook":
        return HookEngine(classifier, _torch_precision(name, precision, device), device)
    halves = halves or cut(classifier.module, classifier.layer)
    if name == "torch":
        number_format = _torch_precision(name, precision, device)
        return TorchEngine(classifier, halves, number_format, device)
    if precision == "int8":
        return open_int8(classifier, halves, accelerator, frames, stop)
    precision = "fp32" if precision == "auto" else precision
    return OpenVINOEngine(classifier, halves, precision, accelerator, stop=stop)


def _torch_precision(engine: str, name: str, device: torch.device) -> Precision:
    if name == "int8":
        raise UsageError(
            f"the engine {engine} has no precision int8; use `engine=openvino` with "
            "`precision=int8`."
        )
    return Precision(name, device)
