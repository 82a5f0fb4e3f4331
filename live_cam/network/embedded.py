"""The network whose ImageNet weights come with a Python package: it needs no download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live_cam.errors import WeightsError
from live_cam.network.recipe import IMAGENET_CLASSES, SkipInitialisation
from live_cam.network.weights import load_embedded
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from torch import nn

    from live_cam.network.weights import StateDict


class EmbeddedRecipe:
    """timm's architecture and the package's weights; see `Recipe`."""

    name = EMBEDDED_MODEL
    input_size = (224, 224)
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def pretrained(self) -> nn.Module:
        module = self.build({})
        module.load_state_dict(load_embedded(module.state_dict()))
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
