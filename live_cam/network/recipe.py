"""The interface to a family of networks: how to build its members, and their input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from live_cam.network.state_dict import StateDict

IMAGENET_CLASSES: Final = 1000


class Recipe(Protocol):
    """How to build one network.

    Attributes:
        name: The name that the user gives.
        input_size: Height and width of its input in pixels.
        mean: Mean of the red, green and blue channel in [0, 1].
        std: Standard deviation of the same.
    """

    name: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pretrained(self) -> nn.Module:
        """Return the network with its pretrained weights.

        Raises:
            WeightsError: They are unavailable.
            UsageError: There are none.
        """

    def build(self, state: StateDict, classes: int = IMAGENET_CLASSES) -> nn.Module:
        """Return the network with arbitrary parameter values.

        Args:
            state: The state dict to be loaded later, which shows its optional parts.
            classes: The number of outputs.
        """

    def missing_download(self) -> str | None:
        """Return the size or location of the pretrained weights, or None if they are here."""


class SkipInitialisation(TorchFunctionMode):
    """Skips the initialisation of parameters: VGG-19's random values would waste 2 s."""

    def __torch_function__(  # type: ignore[no-untyped-def]
        self,
        func,
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def triple(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the values of the three channels as a tuple of floats."""
    red, green, blue = values
    return float(red), float(green), float(blue)
