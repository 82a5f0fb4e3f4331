"""Copies of a network with randomised weights.

The cascading randomisation of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 4: a
map that stays the same does not depend on what the network has learnt.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import nn

from live_cam.engines import open_engine
from live_cam.network.target_layer import get_layer
from live_cam.runtime.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live_cam.engines.engine import Engine
    from live_cam.network.classifier import Classifier

_SEED = 0


class RandomisedNetwork(Closing):
    """A copy of a network whose layers are randomised one by one, from the last to the first.

    A layer's weights are permuted, which keeps their distribution. Biases and normalisations are
    not changed. The original and the copy share the weights that are not randomised yet.

    Attributes:
        classifier: The copy.
    """

    def __init__(self, classifier: Classifier, device: torch.device) -> None:
        """Copy the network, which is not changed.

        Args:
            classifier: The network.
            device: Its device.
        """
        parts = chain(classifier.module.parameters(), classifier.module.buffers())
        module = copy.deepcopy(classifier.module, {id(part): part for part in parts})
        # The hook of the original's engine was copied along; torch has no public way to remove a
        # hook without its handle.
        get_layer(module, classifier.layer)._forward_hooks.clear()
        self.classifier = replace(classifier, module=module)
        self._device = device
        self._engine: Engine | None = None
        self._remaining = list(_layers(module))
        self._generator = torch.Generator().manual_seed(_SEED)
        self._layers = len(self._remaining)

    @property
    def engine(self) -> Engine:
        """The engine that explains the copy, opened by its first use."""
        if self._engine is None:
            self._engine = open_engine(
                "hook", self.classifier, precision="fp32", device=self._device
            )
        return self._engine

    @property
    def progress(self) -> tuple[int, int]:
        """The number of randomised layers, and of all layers."""
        return self._layers - len(self._remaining), self._layers

    @property
    def done(self) -> bool:
        """Whether all layers are randomised."""
        return not self._remaining

    def randomise_next(self) -> None:
        """Randomise the next layer, if there is one."""
        if not self._remaining:
            return
        owner, name = self._remaining.pop()
        weight = getattr(owner, name).detach()
        order = torch.randperm(weight.numel(), generator=self._generator).to(weight.device)
        randomised = weight.flatten()[order].view_as(weight)
        # Not in place: the original uses the same tensors.
        setattr(owner, name, nn.Parameter(randomised, requires_grad=False))

    def randomise_all(self) -> None:
        """Randomise all remaining layers."""
        while not self.done:
            self.randomise_next()

    def close(self) -> None:
        """Close the engine on the copy. May be called twice."""
        engine, self._engine = self._engine, None
        if engine:
            engine.close()
        self._remaining = []


def _layers(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yield the weights as module and name: parameters with more than one value per channel."""
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if parameter.ndim > 1:
                yield owner, name
