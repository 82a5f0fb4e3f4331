"""Which engines may take over from the plain one, for what the user asked for."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from live_cam.engines import open_engine
from live_cam.engines.opening import Candidate
from live_cam.engines.openvino import openvino_devices
from live_cam.errors import DeviceError, EngineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from live_cam.engines.engine import Engine
    from live_cam.network.classifier import Classifier
    from live_cam.network.cut import Cut

_CALIBRATION_FRAMES = 16
_EXACT_ACCELERATORS = ("cpu", "gpu")


def candidates(
    classifier: Classifier,
    halves: Cut,
    *,
    engine: str,
    precision: str,
    device: torch.device,
    accelerator: str | None,
) -> list[Candidate]:
    """Return what to try beside the plain engine, the one that was asked for last.

    Args:
        classifier: The network, on `device`.
        halves: The same, cut at its target layer.
        engine: One of `settings.ENGINES` but `hook`, beside which nothing is tried.
        precision: One of `settings.PRECISIONS`.
        device: Where the network is.
        accelerator: One of OpenVINO's devices, where the user named one.

    Raises:
        EngineError: OpenVINO was asked for and is not installed.
        DeviceError: OpenVINO does not find the accelerator that was asked for.
    """
    opening = partial(_open, classifier, halves, precision, device)
    wants_openvino = engine == "openvino" or precision == "int8" or accelerator is not None
    torch_engine = Candidate(
        "torch", partial(opening, "torch", "cpu"), chosen=engine == "torch" and not wants_openvino
    )
    if engine == "torch":
        return [torch_engine]
    found = openvino_devices() if device.type == "cpu" else ()
    # Converting the network takes a lone processor from the camera for tens of seconds.
    alone = os.cpu_count() == 1
    if wants_openvino:
        return [torch_engine, _chosen(opening, precision, accelerator, found, device)]
    return [
        torch_engine,
        *(
            Candidate(f"openvino {name}", partial(opening, "openvino", name))
            for name in found
            if name in _EXACT_ACCELERATORS and not alone
        ),
    ]


def _chosen(
    opening: partial[Engine],
    precision: str,
    accelerator: str | None,
    found: tuple[str, ...],
    device: torch.device,
) -> Candidate:
    if device.type != "cpu":
        raise DeviceError(
            f"OpenVINO does not compute on {device}; use --device cpu, gpu (Intel's) or npu."
        )
    if not found:
        raise EngineError(
            "OpenVINO, which --engine openvino and --precision int8 need, is not installed; "
            "install it with: pip install 'live-cam[openvino]'"
        )
    if accelerator is not None and accelerator not in found:
        raise DeviceError(
            f"OpenVINO finds no {accelerator} here, only {', '.join(found)}; "
            "use --device auto, or install Intel's driver for it."
        )
    return Candidate(
        f"openvino {precision}",
        partial(opening, "openvino", accelerator or "cpu"),
        chosen=True,
        frames=_CALIBRATION_FRAMES if precision == "int8" else 0,
    )


def _open(
    classifier: Classifier,
    halves: Cut,
    precision: str,
    device: torch.device,
    name: str,
    accelerator: str,
    frames: Sequence[NDArray[np.uint8]],
    stop: threading.Event,
) -> Engine:
    # Until int8 is ready, and where it cannot be had, torch computes in float32.
    if name == "torch" and precision == "int8":
        precision = "fp32"
    return open_engine(
        name,
        classifier,
        precision=precision,
        device=device,
        accelerator=accelerator,
        halves=halves,
        frames=frames,
        stop=stop,
    )
