from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from live_cam.errors import UsageError, WeightsError
from live_cam.network.classifier import Classifier, load_classifier, missing_download
from live_cam.network.state_dict import read_state_dict
from live_cam.network.weights import cached_file
from tests.support.networks import randomised

SMALL = "squeezenet1_1"


class Executed:
    """Pickles to something that runs when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a checkpoint was executed",))


@pytest.fixture(scope="module")
def small() -> nn.Module:
    return randomised(models.get_model(SMALL, weights=None))


def same_weights(classifier: Classifier, module: nn.Module) -> bool:
    expected = module.state_dict()
    loaded = classifier.module.state_dict()
    return loaded.keys() == expected.keys() and all(
        torch.equal(loaded[key], expected[key]) for key in expected
    )


class TestPretrained:
    @pytest.mark.usefixtures("no_network")
    def test_weights_come_from_the_hub_cache(self, hub: Path, small: nn.Module) -> None:
        weights = models.get_model_weights(SMALL).DEFAULT
        assert cached_file(weights).parent == hub
        assert missing_download(SMALL) == "5 MB"
        torch.save(small.state_dict(), cached_file(weights))
        assert missing_download(SMALL) is None
        classifier = load_classifier(SMALL)
        assert same_weights(classifier, small)
        assert classifier.labels[281] == "tabby"
        assert not classifier.module.training
        assert not any(p.requires_grad for p in classifier.module.parameters())

    @pytest.mark.usefixtures("hub", "no_network")
    def test_unreachable_weights_are_one_clear_error(self) -> None:
        with pytest.raises(WeightsError) as caught:
            load_classifier(SMALL)
        for part in (SMALL, "no route to host", "`weights`", "efficientnet_lite0", "checkpoints"):
            assert part in str(caught.value)

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
    def test_a_broken_cached_file_is_named(self, hub: Path, content: bytes) -> None:
        cached_file(models.get_model_weights(SMALL).DEFAULT).write_bytes(content)
        with pytest.raises(WeightsError, match=r"broken.*delete the file") as caught:
            load_classifier(SMALL)
        assert str(hub) in str(caught.value)

    @pytest.mark.usefixtures("hub")
    def test_nothing_in_the_cache_is_executed(self) -> None:
        torch.save({"a": Executed()}, cached_file(models.get_model_weights(SMALL).DEFAULT))
        with pytest.raises(WeightsError, match="broken"):
            load_classifier(SMALL)

    def test_the_embedded_network_needs_no_download(self) -> None:
        classifier = load_classifier("efficientnet_lite0")
        assert missing_download("efficientnet_lite0") is None
        assert classifier.input_size == (224, 224)
        assert classifier.layer == "bn2"
        assert len(classifier.labels) == 1000


class TestFromAFile:
    @pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": s, "epoch": 3}])
    @pytest.mark.parametrize("prefix", ["", "module."])
    def test_torch_checkpoints_are_read(
        self, tmp_path: Path, small: nn.Module, wrap: type[dict[str, object]], prefix: str
    ) -> None:
        path = tmp_path / "a.pth"
        torch.save(wrap({prefix + key: value for key, value in small.state_dict().items()}), path)
        assert same_weights(load_classifier(SMALL, weights=path), small)

    def test_the_legacy_format_is_read(self, tmp_path: Path, small: nn.Module) -> None:
        path = tmp_path / "a.pth"
        torch.save(small.state_dict(), path, _use_new_zipfile_serialization=False)
        assert same_weights(load_classifier(SMALL, weights=path), small)

    def test_safetensors_are_read(self, tmp_path: Path, small: nn.Module) -> None:
        save_file = pytest.importorskip("safetensors.torch").save_file
        save_file(small.state_dict(), tmp_path / "a.safetensors")
        assert same_weights(load_classifier(SMALL, weights=tmp_path / "a.safetensors"), small)

    def test_the_number_of_classes_comes_from_the_file(self, tmp_path: Path) -> None:
        module = randomised(models.resnet18(weights=None, num_classes=3))
        torch.save(module.state_dict(), tmp_path / "a.pth")
        classifier = load_classifier("resnet18", weights=tmp_path / "a.pth")
        assert classifier.labels == ("class 0", "class 1", "class 2")
        labels = tmp_path / "labels.txt"
        labels.write_text("cat\ndog\nhen")
        classifier = load_classifier("resnet18", weights=tmp_path / "a.pth", labels=labels)
        assert classifier.labels == ("cat", "dog", "hen")
        labels.write_text("cat\ndog")
        with pytest.raises(UsageError, match=r"2 labels, but resnet18 has 3 outputs"):
            load_classifier("resnet18", weights=tmp_path / "a.pth", labels=labels)

    def test_the_counter_that_old_checkpoints_lack_is_optional(self, tmp_path: Path) -> None:
        state = randomised(models.resnet18(weights=None)).state_dict()
        state = {key: value for key, value in state.items() if "num_batches" not in key}
        torch.save(state, tmp_path / "a.pth")
        classifier = load_classifier("resnet18", weights=tmp_path / "a.pth")
        assert torch.equal(classifier.module.state_dict()["fc.bias"], state["fc.bias"])

    @pytest.mark.parametrize("name", ["googlenet", "efficientnet_lite0"])
    def test_networks_with_special_builders_are_loaded(self, tmp_path: Path, name: str) -> None:
        if name == "googlenet":
            module = models.googlenet(weights=None, init_weights=False, num_classes=4)
        else:
            module = pytest.importorskip("timm").create_model(
                "tf_efficientnet_lite0", num_classes=4
            )
        torch.save(module.state_dict(), tmp_path / "a.pth")
        classifier = load_classifier(name, weights=tmp_path / "a.pth")
        assert len(classifier.labels) == 4
        assert same_weights(classifier, module) or name == "googlenet"

    def test_nothing_in_the_file_is_executed(self, tmp_path: Path) -> None:
        torch.save({"state_dict": Executed()}, tmp_path / "a.pth")
        with pytest.raises(UsageError, match=r"cannot be read as a state dict"):
            read_state_dict(tmp_path / "a.pth")

    @pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
    @pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04.", b"PK\x03\x04rest"])
    def test_a_file_that_is_no_checkpoint_is_named(
        self, tmp_path: Path, name: str, content: bytes
    ) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=name):
            read_state_dict(tmp_path / name)

    def test_no_tensors_and_no_file_are_rejected(self, tmp_path: Path) -> None:
        torch.save({"a": 1}, tmp_path / "a.pth")
        with pytest.raises(UsageError, match="holds no state dict"):
            read_state_dict(tmp_path / "a.pth")
        with pytest.raises(UsageError, match="there is no weights file"):
            read_state_dict(tmp_path / "b.pth")

    def test_weights_of_another_network_are_rejected(
        self, tmp_path: Path, small: nn.Module
    ) -> None:
        torch.save(small.state_dict(), tmp_path / "a.pth")
        with pytest.raises(
            UsageError, match=r"do not belong to resnet18.*missing.*unexpected.*`model`"
        ):
            load_classifier("resnet18", weights=tmp_path / "a.pth")


def test_an_unknown_network_is_rejected_with_the_closest_names() -> None:
    with pytest.raises(UsageError, match=r"no network 'resnet51'.*resnet50"):
        load_classifier("resnet51")


def test_an_unknown_layer_is_rejected(tmp_path: Path, small: nn.Module) -> None:
    torch.save(small.state_dict(), tmp_path / "a.pth")
    with pytest.raises(UsageError, match=r"no layer 'features.99'"):
        load_classifier(SMALL, weights=tmp_path / "a.pth", layer="features.99")
