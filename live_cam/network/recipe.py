"""What every family of networks must say of its members: how to build them, and what they see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from live_cam.network.weights import StateDict

IMAGENET_CLASSES: Final = 1000


class Recipe(Protocol):
    """How to build one network.

    Attributes:
        name: As the user knows it.
        input_size: Height and width of its input in pixels.
        mean: Of the red, green and blue channel in [0, 1], to subtract.
        std: Likewise, to divide by.
    """

    name: str
    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pretrained(self) -> nn.Module:
        """Return it with its pretrained weights.

        Raises:
            WeightsError: They cannot be had.
            UsageError: There are none.
        """

    def build(self, state: StateDict, classes: int = IMAGENET_CLASSES) -> nn.Module:
        """Return it with parameters of any values.

        Args:
            state: The state dict that is to be loaded into it, which says what optional parts
                it has.
            classes: The number of outputs.
        """

    def missing_download(self) -> str | None:
        """Return how large the missing pretrained weights are, or where; None: not missing."""


class SkipInitialisation(TorchFunctionMode):
    """Leaves parameters as they were allocated: VGG-19's random values cost 2 s for nothing."""

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
    """Return one value for each of the three channels."""
    red, green, blue = values
    return float(red), float(green), float(blue)
