"""Classification of the exceptions that torch, OpenVINO and their drivers raise.

All are `RuntimeError`s, with many different texts. torch has the subclasses `OutOfMemoryError` and
`AcceleratorError`; Apple's and Intel's backends and OpenVINO have none.
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
"""The exceptions that an engine raises in addition to the typed errors, apart from bugs."""

_NO_MEMORY: Final = re.compile(
    r"out of memory|(allocate|enough) memory|could not create a memory|bad[_ ]alloc|alloc_failed"
    r"|out_of_(host|device)_memory",
    re.IGNORECASE,
)
# Out of "resources", Intel's drivers hang in one of the next calls: the device is lost.
_LOST: Final = re.compile(
    r"(cuda|cudnn|cublas|hip|mps|metal|xpu) (driver |internal )?error|(cudnn|cublas|cufft)_status"
    r"|mps backend|command buffer|kIOGPU|UR_RESULT_ERROR|native api failed|level_zero backend"
    r"|out_of_resources|out of gpu resources|device[_ ](is )?lost|ZE_RESULT_ERROR",
    re.IGNORECASE,
)
_UNSUPPORTED: Final = re.compile(r"could not (create|execute) a primitive", re.IGNORECASE)
"""oneDNN's, on a CPU: it has no kernel for the operation, or no memory to create one."""


def known_fault(error: Exception, what: str, device: str) -> EngineError | None:
    """Return the typed error of an exception that is known to come from a device.

    Args:
        error: The exception.
        what: The subject of the sentence: an engine's description, or `loading vgg19`.
        device: The device that computed: `cuda:0`.

    Returns:
        `OutOfMemoryError`, `DeviceLostError` or another `EngineError`, or None if it is unknown
        and may be a bug.
    """
    if isinstance(error, EngineError):
        return error
    text = str(error)
    why = f"({reason(error)})."
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or _NO_MEMORY.search(text):
        return OutOfMemoryError(f"{what} has run out of memory {why}")
    if device != "cpu" and (isinstance(error, torch.AcceleratorError) or _LOST.search(text)):
        return DeviceLostError(f"the device {device} has failed {why}")
    return EngineError(f"{what} has failed {why}") if _UNSUPPORTED.search(text) else None


def device_fault(error: Exception, what: str, device: str) -> EngineError | None:
    """Return the typed error of an exception that only a bug raises on a CPU.

    Args:
        error: The exception.
        what: As above.
        device: As above.

    Returns:
        As above, but a `DeviceLostError` for an unknown exception on any device except the CPU.
    """
    known = known_fault(error, what, device)
    if known is None and device != "cpu":
        return DeviceLostError(f"the device {device} has failed ({reason(error)}).")
    return known


def engine_fault(error: Exception, engine: Engine) -> EngineError:
    """Return the typed error of any exception of an engine that another one can replace."""
    known = known_fault(error, engine.description, engine.device)
    return known or EngineError(f"{engine.description} has failed ({reason(error)}).")


def reason(error: Exception) -> str:
    """Return the informative line of an exception's text: OpenVINO's is the innermost one."""
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("Exception from "):
        return lines[-1].strip().rstrip(".")
    return first_line(error)


def free_memory(device: str) -> None:
    """Release the memory that torch caches on a device, as far as the device still responds."""
    gc.collect()  # a failed pass leaves cycles: its traceback holds frames and their tensors
    kind = device.partition(":")[0]
    if kind in ("cuda", "mps", "xpu"):
        with suppress(RuntimeError):
            getattr(torch, kind).empty_cache()
