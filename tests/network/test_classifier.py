from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from live_cam.errors import UsageError, WeightsError
from live_cam.network.checkpoint import count_classes
from live_cam.network.classifier import load_classifier, missing_download
from live_cam.network.timm import TimmRecipe
from live_cam.network.torchvision import TorchvisionRecipe
from tests.support.networks import randomised

# A small member of each family, with its builder's options.
FAMILIES: dict[str, dict[str, Any]] = {
    "alexnet": {},
    "convnext_tiny": {},
    "densenet121": {},
    "efficientnet_b0": {},
    "googlenet": {"init_weights": False, "transform_input": True},
    "inception_v3": {"init_weights": False, "transform_input": True},
    "maxvit_t": {},
    "mnasnet0_5": {},
    "mobilenet_v2": {},
    "mobilenet_v3_small": {},
    "regnet_y_400mf": {},
    "resnet18": {},
    "shufflenet_v2_x0_5": {},
    "squeezenet1_1": {},
    "swin_t": {},
    "vgg11_bn": {"init_weights": False},
    "vit_b_32": {},
    "timm/convnext_atto": {},
    "timm/deit_tiny_distilled_patch16_224": {},
    "timm/levit_128s": {},
    "timm/resnet18": {},
    "timm/swin_tiny_patch4_window7_224": {},
    "timm/vit_tiny_patch16_224": {},
}
UNTRACED = {"timm/levit_128s": "stem"}
"""Networks whose target layer must be named."""


def trained_for(name: str, classes: int) -> nn.Module:
    """Return a user's own network, built without live_cam."""
    if name.startswith("timm/"):
        module: nn.Module = timm.create_model(name.removeprefix("timm/"), num_classes=classes)
    else:
        module = models.get_model(name, weights=None, num_classes=classes, **FAMILIES[name])
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data.uniform_(0, 0.01, generator=generator)
    return module


@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_of_three_classes_is_loaded_unchanged(name: str, tmp_path: Path) -> None:
    state = trained_for(name, 3).state_dict()
    torch.save(state, tmp_path / "mine.pth")
    (tmp_path / "mine.txt").write_text("cat\ndog\nhen\n")
    classifier = load_classifier(
        name,
        weights=tmp_path / "mine.pth",
        labels=tmp_path / "mine.txt",
        layer=UNTRACED.get(name),
    )
    (tmp_path / "mine.pth").unlink()
    assert classifier.labels == ("cat", "dog", "hen")
    loaded = classifier.module.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_the_number_of_classes_is_counted_in_every_network_of_torchvision(name: str) -> None:
    recipe = TorchvisionRecipe(name)
    if name.startswith("regnet"):  # whose builder needs real memory
        if name not in ("regnet_x_400mf", "regnet_y_400mf"):
            pytest.skip("takes gigabytes, and is built like the small ones")
        state = recipe.build({"aux": torch.empty(0)}, 5).state_dict()
    else:
        with torch.device("meta"):
            state = recipe.build({"aux": torch.empty(0)}, 5).state_dict()
    assert count_classes(recipe, state) == 5


class TestTimm:
    @pytest.fixture
    def cache(self, hub: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The hub's download cache, empty."""
        folder = hub.parent / "huggingface"
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
        return folder

    @staticmethod
    def downloaded(cache: Path, repository: str, name: str = "model.safetensors") -> Path:
        """Return where the hub's own library would have cached a file."""
        folder = cache / f"models--timm--{repository}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("0123abc")
        (folder / "snapshots" / "0123abc").mkdir(parents=True)
        return folder / "snapshots" / "0123abc" / name

    @pytest.mark.usefixtures("no_network")
    def test_pretrained_weights_come_from_the_cache(self, cache: Path) -> None:
        module = randomised(timm.create_model("resnet18"))
        assert "https://huggingface.co/timm/resnet18.a1_in1k" in str(
            missing_download("timm/resnet18")
        )
        save_file(module.state_dict(), self.downloaded(cache, "resnet18.a1_in1k"))
        assert missing_download("timm/resnet18") is None
        for name in ("timm/resnet18", "timm/resnet18.a1_in1k"):
            classifier = load_classifier(name)
            assert classifier.name == name
            assert classifier.labels[281] == "tabby"
            assert classifier.layer == "layer4"
            assert all(
                torch.equal(value, module.state_dict()[key])
                for key, value in classifier.module.state_dict().items()
            )

    @pytest.mark.usefixtures("cache", "no_network")
    def test_unreachable_weights_are_one_clear_error(self) -> None:
        with pytest.raises(WeightsError) as caught:
            load_classifier("timm/resnet18")
        for part in ("timm/resnet18", "no route to host", "`weights`", "efficientnet_lite0"):
            assert part in str(caught.value)

    @pytest.mark.usefixtures("no_network")
    def test_a_broken_cached_file_is_named(self, cache: Path) -> None:
        path = self.downloaded(cache, "resnet18.a1_in1k")
        path.write_bytes(b"not a checkpoint")
        with pytest.raises(WeightsError, match=r"broken.*delete the file") as caught:
            load_classifier("timm/resnet18")
        assert str(path) in str(caught.value)

    @pytest.mark.usefixtures("no_network")
    def test_nothing_in_the_cache_is_executed(self, cache: Path) -> None:
        path = self.downloaded(cache, "resnet18.a1_in1k", "pytorch_model.bin")
        torch.save({"a": Executed()}, path)
        with pytest.raises(WeightsError, match="broken"):
            load_classifier("timm/resnet18")

    @pytest.mark.usefixtures("no_network")
    def test_weights_outside_the_hub_are_loaded(self, hub: Path) -> None:
        name = "legacy_seresnet18"
        url = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/seresnet18-4bb0ce65.pth"
        assert missing_download(f"timm/{name}") == f"from {url}"
        module = randomised(timm.create_model(name))
        torch.save(module.state_dict(), hub / url.rpartition("/")[2])
        assert load_classifier(f"timm/{name}").labels[281] == "tabby"

    def test_normalisation_and_size_are_timms_own(self) -> None:
        recipe = TimmRecipe("timm/vit_base_patch16_224.augreg_in21k")
        assert recipe.mean == (0.5, 0.5, 0.5)
        assert recipe.std == (0.5, 0.5, 0.5)
        assert TimmRecipe("timm/swinv2_tiny_window8_256").input_size == (256, 256)
        assert TimmRecipe("timm/resnet18").mean == (0.485, 0.456, 0.406)

    @pytest.mark.usefixtures("no_network")
    def test_classes_other_than_imagenets_thousand_are_numbered(self, cache: Path) -> None:
        module = randomised(timm.create_model("vit_tiny_patch16_224.augreg_in21k"))
        save_file(module.state_dict(), self.downloaded(cache, "vit_tiny_patch16_224.augreg_in21k"))
        labels = load_classifier("timm/vit_tiny_patch16_224.augreg_in21k").labels
        assert len(labels) == 21843
        assert labels[281] == "class 281"

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("timm/resnet81", r"no network 'resnet81' in timm; did you mean .*timm/resnet\d+"),
            ("timm/", r"no network '' in timm"),
            ("timm/zzzzzzzzzzz", r"no network 'zzzzzzzzzzz' in timm; timm.list_models"),
            ("timm/resnet18.mine", r"no weights 'mine' of resnet18; choose timm/resnet18\.a1_in1k"),
            ("swinv2_tiny_window8_256", r"did you mean timm/swinv2_tiny_window8_256\?"),
        ],
    )
    def test_a_wrong_name_is_rejected_with_the_closest_names(self, name: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            load_classifier(name)

    def test_networks_without_weights_or_classes_are_rejected(self) -> None:
        with pytest.raises(UsageError, match=r"no pretrained weights of timm/botnet50.*`weights`"):
            load_classifier("timm/botnet50ts_256")
        with pytest.raises(UsageError, match=r"dinov2 was trained to output features.*`weights`"):
            load_classifier("timm/vit_small_patch14_dinov2")

    def test_a_missing_timm_is_one_clear_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "timm", None)
        with pytest.raises(WeightsError, match=r"pip install 'live-cam\[timm\]'"):
            load_classifier("timm/resnet18")
        assert missing_download("timm/resnet18") is None


class Executed:
    """Pickles to something that runs when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a checkpoint was executed",))
