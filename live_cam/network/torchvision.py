"""torchvision's networks, by their names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from torch import nn
from torchvision import models

from live_cam.errors import UsageError, shortened
from live_cam.network.recipe import IMAGENET_CLASSES, SkipInitialisation, triple
from live_cam.network.timm import PREFIX, is_timm_network
from live_cam.network.weights import cached_file, load_pretrained
from live_cam.settings import EMBEDDED_MODEL

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

    from live_cam.network.state_dict import StateDict

# torchvision's builders of these set other options for pretrained weights.
_INCEPTIONS = ("googlenet", "inception_v3")


class TorchvisionRecipe:
    """One of torchvision's classifiers; implements `Recipe`."""

    def __init__(self, name: str) -> None:
        """Look the network up.

        Raises:
            UsageError: There is no such network; the message names the closest ones.
        """
        known = models.list_models(module=models)
        if name not in known:
            close = difflib.get_close_matches(name.lower(), [EMBEDDED_MODEL, *known], 3, 0.4)
            if is_timm_network(name):
                close = [PREFIX + name]
            hint = f"did you mean {', '.join(close)}?" if close else ""
            raise UsageError(
                f"there is no network {shortened(name)!r} among torchvision's classifiers; "
                f"{hint or 'torchvision.models.list_models() in Python lists them.'}"
            )
        self.name = name
        self._weights: WeightsEnum = models.get_model_weights(name).DEFAULT
        preset = self._weights.transforms()
        self.input_size = (preset.crop_size[0], preset.crop_size[0])
        self.mean = triple(preset.mean)
        self.std = triple(preset.std)

    def pretrained(self) -> nn.Module:
        with SkipInitialisation():
            return load_pretrained(self.name, self._weights)

    def build(self, state: StateDict, classes: int = IMAGENET_CLASSES) -> nn.Module:
        options: dict[str, object] = {"num_classes": classes}
        if self.name in _INCEPTIONS:
            auxiliary = any(key.lower().startswith("aux") for key in state)
            options |= {"transform_input": True, "aux_logits": auxiliary, "init_weights": False}
        with SkipInitialisation():
            module = models.get_model(self.name, weights=None, **options)
        assert isinstance(module, nn.Module)
        return module

    def missing_download(self) -> str | None:
        if cached_file(self._weights).exists():
            return None
        return f"{self._weights.meta['_file_size']:.0f} MB"
