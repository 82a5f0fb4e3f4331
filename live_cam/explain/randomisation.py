"""The same image through a network that has forgotten what it learnt.

The cascading randomisation of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 4: a
map that stays as it was does not show what the network knows.
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

    A layer's weights change places among themselves, so that their distribution stays. Biases and
    normalisations stay as they are. The original and the copy share what is not randomised yet.

    Attributes:
        classifier: The copy.
    """

    def __init__(self, classifier: Classifier, device: torch.device) -> None:
        """Copy the network, as it is; it is left alone.

        Args:
            classifier: Which network.
            device: Where it is.
        """
        parts = chain(classifier.module.parameters(), classifier.module.buffers())
        module = copy.deepcopy(classifier.module, {id(part): part for part in parts})
        # The hook of the engine that explains by the original was copied with it; torch has no
        # public way to take off a hook without its handle.
        get_layer(module, classifier.layer)._forward_hooks.clear()
        self.classifier = replace(classifier, module=module)
        self._device = device
        self._engine: Engine | None = None
        self._remaining = list(_layers(module))
        self._generator = torch.Generator().manual_seed(_SEED)
        self._layers = len(self._remaining)

    @property
    def engine(self) -> Engine:
        """Explains by the copy; opened by whoever asks first."""
        if self._engine is None:
            self._engine = open_engine(
                "hook", self.classifier, precision="fp32", device=self._device
            )
        return self._engine

    @property
    def progress(self) -> tuple[int, int]:
        """How many layers are randomised, of how many."""
        return self._layers - len(self._remaining), self._layers

    @property
    def done(self) -> bool:
        """Whether all layers are randomised."""
        return not self._remaining

    def randomise_next(self) -> None:
        """Randomise one more layer, if one is left."""
        if not self._remaining:
            return
        owner, name = self._remaining.pop()
        weight = getattr(owner, name).detach()
        order = torch.randperm(weight.numel(), generator=self._generator).to(weight.device)
        randomised = weight.flatten()[order].view_as(weight)
        # Never in place: the original's weights are the same tensors.
        setattr(owner, name, nn.Parameter(randomised, requires_grad=False))

    def randomise_all(self) -> None:
        """Randomise all layers that are left."""
        while not self.done:
            self.randomise_next()

    def close(self) -> None:
        """Let go of the copy. May be called twice."""
        engine, self._engine = self._engine, None
        if engine:
            engine.close()
        self._remaining = []


def _layers(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Find the weights, by what holds them: whatever is more than one number for each channel."""
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if parameter.ndim > 1:
                yield owner, name
