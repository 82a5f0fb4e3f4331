"""The number of images that fit into a device's memory."""

from __future__ import annotations

import os
from typing import Final

import torch

_MOST_ON_CPU: Final = 8
"""Images. More at once are no faster on a CPU, and the first results come later."""
_MOST: Final = 64
_BYTES_PER_PIXEL: Final = 1500
"""Memory per pixel of the input. Measured on a CPU: 600 for VGG-19 with its large first layers."""
_SHARE_OF_MEMORY: Final = 0.5


def room_for(pixels: int, device: torch.device) -> int:
    """Return how many images to explain at once.

    Args:
        pixels: The size of the network's input.
        device: The network's device.
    """
    most = _MOST_ON_CPU if device.type == "cpu" else _MOST
    free = _free_memory(device)
    if free is None:
        return most
    fitting = int(_SHARE_OF_MEMORY * free / (_BYTES_PER_PIXEL * pixels))
    return max(1, min(most, fitting))


def _free_memory(device: torch.device) -> int | None:
    """Return how many bytes are free on a device, or None if unknown."""
    if device.type in ("cuda", "xpu"):
        return int(getattr(torch, device.type).mem_get_info(device)[0])
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # on Windows and macOS
        return None
