"""A network small enough for hundreds of explanations a second, which fails on request."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import torch
from torchvision.models import _api

from tests.support.tiny import NAME, registered, tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

__all__ = ["NAME", "NetworkFaults", "save_weights"]

_CLASSES: Final = 1000


class NetworkFaults:
    """Makes the registered network fail.

    Attributes:
        fault: The present fault, one of `FAULTS` (logits that are not finite, or too little
            memory), or None.
    """

    FAULTS: Final = ("not finite", "no memory")

    def __init__(self) -> None:
        self.fault: str | None = None

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Register the network with torchvision, with these faults, inside the `with` block."""
        with registered():

            @wraps(tiny)
            def fallible(**arguments: Any) -> nn.Module:
                network = tiny(**arguments)
                network.register_forward_hook(self._break)
                return network

            _api.BUILTIN_MODELS[NAME] = fallible
            yield

    def _break(self, network: nn.Module, given: object, logits: torch.Tensor) -> torch.Tensor:
        del network, given
        if self.fault == "no memory":
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 1073741824 bytes. Error code 12 (Cannot allocate "
                "memory)"
            )
        return logits * torch.nan if self.fault == "not finite" else logits


def save_weights(path: Path, seed: int) -> None:
    """Write a checkpoint of the network with random weights."""
    torch.manual_seed(seed)
    torch.save(tiny(num_classes=_CLASSES).state_dict(), path)
