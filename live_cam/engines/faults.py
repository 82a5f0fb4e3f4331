"""What the failure of an engine means: the exceptions of torch, OpenVINO and their drivers, named.

They come as `RuntimeError`s of many texts: `torch.OutOfMemoryError` and `torch.AcceleratorError`
are such, Apple's and Intel's backends and OpenVINO raise nothing else.
"""

from __future__ import annotations

import gc
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import torch

from live_cam.errors import DeviceLostError, EngineError, OutOfMemoryError, first_line

if TYPE_CHECKING:
    from live_cam.engines.engine import Engine

FAILURES: Final = (RuntimeError, MemoryError)
"""What an engine raises beside the typed errors, where it is not a bug of this program."""

_NO_MEMORY: Final = re.compile(
    r"out of memory|(allocate|enough) memory|could not create a memory|bad[_ ]alloc|alloc_failed"
    r"|out_of_(host|device)_memory",
    re.IGNORECASE,
)
# Out of "resources", Intel's drivers hang at the next call or the one after: the device is lost.
_LOST: Final = re.compile(
    r"(cuda|cudnn|cublas|hip|mps|metal|xpu) (driver |internal )?error|(cudnn|cublas|cufft)_status"
    r"|mps backend|command buffer|kIOGPU|UR_RESULT_ERROR|native api failed|level_zero backend"
    r"|out_of_resources|out of gpu resources|device[_ ](is )?lost|ZE_RESULT_ERROR",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(r"could not (create|execute) a primitive", re.IGNORECASE)
"""oneDNN's, on a CPU: it has no kernel for what it is asked, or no room to make one."""


def known_fault(error: Exception, what: str, device: str) -> EngineError | None:
    """Name an exception, if it is known to come from a device and not from a bug.

    Args:
        error: The exception.
        what: What was computing: an engine's description, or `loading vgg19`.
        device: On which device: `cuda:0`.

    Returns:
        `OutOfMemoryError`, `DeviceLostError`, or another `EngineError`; None: it is not known.
    """
    if isinstance(error, EngineError):
        return error
    text = str(error)
    why = f"({reason(error)})."
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or _NO_MEMORY.search(text):
        return OutOfMemoryError(f"{what} has run out of memory {why}")
    if device != "cpu" and (isinstance(error, torch.AcceleratorError) or _LOST.search(text)):
        return DeviceLostError(f"the device {device} has failed {why}")
    return EngineError(f"{what} has failed {why}") if _REFUSED.search(text) else None


def device_fault(error: Exception, what: str, device: str) -> EngineError | None:
    """Name an exception for which the device is to blame where it is not the CPU.

    Args:
        error: The exception.
        what: As above.
        device: As above.

    Returns:
        As above; on any device but the CPU, what is not known is a `DeviceLostError`.
    """
    known = known_fault(error, what, device)
    if known is None and device != "cpu":
        return DeviceLostError(f"the device {device} has failed ({reason(error)}).")
    return known


def engine_fault(error: Exception, engine: Engine) -> EngineError:
    """Name the exception of an engine that another one can step in for, whatever it is."""
    known = known_fault(error, engine.description, engine.device)
    return known or EngineError(f"{engine.description} has failed ({reason(error)}).")


def reason(error: Exception) -> str:
    """Return what an exception says that is worth reading: of OpenVINO's, the innermost one's."""
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("Exception from "):
        return lines[-1].strip().rstrip(".")
    return first_line(error)


def free_memory(device: str) -> None:
    """Give back what torch keeps of a device's memory for later, as far as it still answers."""
    gc.collect()  # a failed pass leaves cycles: its traceback holds its frames and their tensors
    kind = device.partition(":")[0]
    if kind in ("cuda", "mps", "xpu"):
        with suppress(RuntimeError):
            getattr(torch, kind).empty_cache()
