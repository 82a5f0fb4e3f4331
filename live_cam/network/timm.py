"""timm's networks, as `timm/NAME`, with or without a tag that selects the weights."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from live_cam.errors import UsageError, WeightsError, shortened
from live_cam.network.recipe import IMAGENET_CLASSES, SkipInitialisation, triple
from live_cam.network.weights import obtaining

if TYPE_CHECKING:
    from torch import nn

    from live_cam.network.state_dict import StateDict

PREFIX: Final = "timm/"

# timm itself tries these first, since nothing in them can be executed.
_SAFE_FORMS: Final = {
    "pytorch_model.bin": "model.safetensors",
    "open_clip_pytorch_model.bin": "open_clip_model.safetensors",
}


def is_timm_network(name: str) -> bool:
    """Return whether timm is installed and has a network of this name, given without prefix."""
    return importlib.util.find_spec("timm") is not None and _timm(name).is_model(name)


class TimmRecipe:
    """One of timm's classifiers; implements `Recipe`."""

    def __init__(self, name: str) -> None:
        """Look the network up.

        Args:
            name: With the prefix: `timm/resnet18`, `timm/resnet18.a1_in1k`.

        Raises:
            UsageError: There is no such network (the message names the closest ones), or it does
                not take images of three channels.
            WeightsError: timm is not installed.
        """
        self.name = name
        self._timm = _timm(name)
        self._own_name = name.removeprefix(PREFIX)
        self._config = self._find_config()
        data = self._timm.data.resolve_data_config(pretrained_cfg=self._config.to_dict())
        channels, *size = data["input_size"]
        if channels != len("RGB"):
            raise UsageError(
                f"{name} takes images of {channels} channels; choose a network for red, green "
                "and blue."
            )
        self.input_size = (size[0], size[1])
        self.mean = triple(data["mean"])
        self.std = triple(data["std"])

    def _find_config(self) -> Any:  # timm is an optional dependency
        timm, name = self._timm, self._own_name
        architecture, _, tag = name.partition(".")
        known = timm.list_models()
        if architecture not in known:
            close = difflib.get_close_matches(architecture.lower(), known, 3, 0.4)
            hint = f"did you mean {', '.join(PREFIX + each for each in close)}?" if close else ""
            raise UsageError(
                f"there is no network {shortened(name)!r} in timm; "
                f"{hint or 'timm.list_models() in Python lists them.'}"
            )
        tagged = timm.list_models(f"{architecture}.*", pretrained=True)
        if tag and name not in tagged:
            choice = [PREFIX + each for each in tagged] or [PREFIX + architecture]
            raise UsageError(
                f"timm has no weights {shortened(tag)!r} of {architecture}; "
                f"choose {', '.join(choice)}."
            )
        return timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()

    def pretrained(self) -> nn.Module:
        config = self._config
        if not config.has_weights:
            raise UsageError(
                f"timm has no pretrained weights of {self.name}; give your own with `weights`, "
                "or choose another network."
            )
        if config.num_classes == 0:
            raise UsageError(
                f"{self.name} was trained to output features, not classes; choose a network with "
                "classes, or give your own weights with `weights`."
            )
        with obtaining(self.name, self._url(), self._cached):
            options: dict[str, object] = {"pretrained": True}
            cached = self._cached() if config.hf_hub_id else None
            if cached:
                # Asking the hub whether a file is up to date may wait for the network.
                source = {"file": str(cached), "custom_load": config.custom_load == "hf"}
                options["pretrained_cfg_overlay"] = source
            return self._create(**options)

    def build(self, _state: StateDict, classes: int = IMAGENET_CLASSES) -> nn.Module:
        with SkipInitialisation():
            return self._create(num_classes=classes)

    def missing_download(self) -> str | None:
        return None if not self._config.has_weights or self._cached() else f"from {self._url()}"

    def _create(self, **options: object) -> nn.Module:
        module: nn.Module = self._timm.create_model(self._own_name, **options)
        return module

    def _url(self) -> str:
        """Return the page of the weights at the hub, or the file itself if they are elsewhere."""
        if not self._config.hf_hub_id:
            return str(self._config.url)
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{self._config.hf_hub_id.partition('@')[0]}"

    def _cached(self) -> Path | None:
        """Return the file in which timm has cached the weights, or None."""
        config = self._config
        if not config.hf_hub_id:
            path = Path(torch.hub.get_dir()) / "checkpoints" / Path(config.url).name
            return path if path.exists() else None
        from huggingface_hub import try_to_load_from_cache

        repository, _, revision = config.hf_hub_id.partition("@")
        plain = config.hf_hub_filename or "pytorch_model.bin"
        for name in (_SAFE_FORMS.get(plain, plain), plain):
            cached = try_to_load_from_cache(repository, name, revision=revision or None)
            if isinstance(cached, str):
                return Path(cached)
        return None


def _timm(name: str) -> Any:
    try:
        import timm
        import timm.data
    except ImportError as error:
        raise WeightsError(
            f"{name} needs the package timm; install it with: pip install 'live-cam[timm]'"
        ) from error
    return timm
