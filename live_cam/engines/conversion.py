"""Conversion of networks to OpenVINO models, in this process or in a child process.

An export takes seconds, during which no other thread may run a network (`cut.TRACING`).

Run as `python -m live_cam.engines.conversion 0.pt 1.pt …`, it writes `0.xml`, `1.xml`, ….
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from live_cam.engines.child import end_with_parent, run_child
from live_cam.errors import EngineError, NonFiniteError, first_line
from live_cam.network.cut import TRACING

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import openvino
    from torch import Tensor, nn


class ModulePart(NamedTuple):
    """A module to convert."""

    module: nn.Module
    examples: tuple[Tensor, ...]
    """Inputs of the shapes and dtypes that the model will receive."""


def convert(
    parts: Sequence[ModulePart], stop: threading.Event | None = None
) -> list[openvino.Model]:
    """Convert modules for inputs of the examples' shapes.

    Args:
        parts: On the CPU.
        stop: Aborts when set. If given, a child process converts, so that other threads go on
            running networks; this takes temporary files of twice the weights' size.

    Raises:
        EngineError: OpenVINO is not installed or lacks one of the operations, the process failed
            or was stopped, or the disk has no room for its files.
        NonFiniteError: A weight is NaN or infinite, which OpenVINO's ReLU would hide.
    """
    openvino_runtime()  # fails now if it is not installed
    weights = (weight for part in parts for weight in part.module.state_dict().values())
    if not all(bool(torch.isfinite(weight).all()) for weight in weights):
        raise NonFiniteError("a weight of the network is not finite; check the weights.")
    try:
        if stop is None:
            return [_exported(part) for part in parts]
        return _exported_by_child(parts, stop)
    except Exception as error:  # both run arbitrary code
        raise EngineError(
            f"OpenVINO cannot convert this network ({first_line(error)}); use `engine=torch`."
        ) from error


def _exported(part: ModulePart) -> openvino.Model:
    with TRACING, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO's own use of deprecated torch functions
        exported = torch.export.export(part.module, part.examples)
        return openvino_runtime().convert_model(exported)


def _exported_by_child(parts: Sequence[ModulePart], stop: threading.Event) -> list[openvino.Model]:
    with tempfile.TemporaryDirectory(prefix="live-cam-", ignore_cleanup_errors=True) as folder:
        paths = [Path(folder) / f"{index}.pt" for index in range(len(parts))]
        for part, path in zip(parts, paths, strict=True):
            if stop.is_set():
                raise EngineError("the conversion was stopped.")
            torch.save(tuple(part), path)
        log = Path(folder) / "log"
        run_child("live_cam.engines.conversion", [str(path) for path in paths], log, stop)
        core = openvino_runtime().Core()
        if sys.platform == "win32":
            core.set_property({"ENABLE_MMAP": False})  # a mapped file cannot be deleted there
        return [core.read_model(path.with_suffix(".xml")) for path in paths]


def openvino_runtime() -> Any:  # untyped, as the module comes with an extra
    """Return the module `openvino`.

    Raises:
        EngineError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise EngineError(
            "the engine openvino is not installed; install it with: "
            "pip install 'live-cam[openvino]'"
        ) from error
    return openvino


def _convert_files(paths: Sequence[Path]) -> None:
    torch.set_num_threads(1)
    for path in paths:
        # The parent's own file, in a folder that only the user can write to.
        part = ModulePart(*torch.load(path, weights_only=False, mmap=True))
        target = path.with_suffix(".xml")
        openvino_runtime().save_model(_exported(part), target, compress_to_fp16=False)


if __name__ == "__main__":
    end_with_parent()
    _convert_files([Path(argument) for argument in sys.argv[1:]])
