"""The forms of GradCAM's `layer`: none, a dotted name, a module, or a list of these."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import live_cam
from live_cam.cam.averaging import averaged
from live_cam.cam.gradcam import GradCAM
from live_cam.errors import UsageError
from live_cam.network.target_layer import find_target_layer
from tests.support.networks import COLOUR_CLASSES, colour_vgg19, randomised, tiny_network

FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "densenet121": lambda: models.densenet121(weights=None),
    "mobilenet_v3_small": lambda: models.mobilenet_v3_small(weights=None),
    "resnet18": lambda: models.resnet18(weights=None),
    "squeezenet1_1": lambda: models.squeezenet1_1(weights=None),
    "swin_t": lambda: models.swin_t(weights=None),
    "vit": lambda: models.VisionTransformer(
        image_size=64, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    ),
}


def images(count: int = 2, side: int = 64) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(5))


def explained(module: nn.Module, *arguments: object, x: Tensor | None = None) -> Tensor:
    with GradCAM(module, *arguments) as cam:  # type: ignore[arg-type]
        return cam(images() if x is None else x).cam


def state_of(module: nn.Module) -> list[object]:
    """Everything that must be the same after the `with` block."""
    return [
        *(layer.training for layer in module.modules()),
        *(len(layer._forward_hooks) for layer in module.modules()),
        *(len(layer._forward_pre_hooks) for layer in module.modules()),
        *(parameter.requires_grad for parameter in module.parameters()),
        *(
            None if parameter.grad is None else parameter.grad.sum().item()
            for parameter in module.parameters()
        ),
        *(tensor.sum().item() for tensor in module.state_dict().values()),
        torch.is_grad_enabled(),
    ]


@pytest.fixture(scope="module")
def colours() -> nn.Module:
    return colour_vgg19()


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> nn.Module:
    return randomised(FAMILIES[request.param]())


class TestForms:
    @pytest.mark.parametrize("colour", COLOUR_CLASSES)
    def test_the_layer_found_shows_where_the_colour_is(
        self, colours: nn.Module, colour: str
    ) -> None:
        pixels = torch.full((3, 224, 224), 0.5)
        pixels[:, 32:96, 112:192] = torch.eye(3)[list(COLOUR_CLASSES).index(colour)][:, None, None]
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (pixels - mean[:, None, None]) / std[:, None, None]
        with live_cam.GradCAM(colours) as cam:
            result = cam(x)
        assert result.class_index.tolist() == [COLOUR_CLASSES[colour]]
        assert result.cam.shape == (1, 14, 14)
        inside = torch.zeros(14, 14, dtype=torch.bool)
        inside[2:6, 7:12] = True
        assert bool((result.cam[0][inside] > 0).all())
        assert bool((result.cam[0][~inside] == 0).all())
        for layer in ("features.35", colours.get_submodule("features.35")):
            with GradCAM(colours, layer) as cam:
                assert torch.equal(cam(x).cam, result.cam)

    def test_all_forms_of_one_layer_are_equal(self, family: nn.Module) -> None:
        name = find_target_layer(family, images()[:1]).name
        layer = family.get_submodule(name)
        expected = explained(family, name)
        assert float(expected.max()) > 0
        # Tracing the axes may take other kernels (a transformer's), so the last digits may differ.
        within = 1e-5 * float(expected.max())
        for form in (None, layer, [name], [layer], (layer,)):
            assert float((explained(family, form) - expected).abs().max()) <= within
        assert float((explained(family) - expected).abs().max()) <= within

    def test_a_list_averages_its_layers(self, family: nn.Module) -> None:
        last = find_target_layer(family, images()[:1]).name
        first = next(
            name
            for name, layer in family.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.LayerNorm)) and not last.startswith(name)
        )
        expected = averaged([explained(family, first), explained(family, last)], 64, 64)
        for forms in ([first, last], [family.get_submodule(first), last]):
            torch.testing.assert_close(explained(family, forms), expected, rtol=1e-4, atol=1e-5)

    def test_a_sequential_is_a_layer_and_not_a_list(self) -> None:
        module = nn.Sequential(tiny_network()[:2], *tiny_network()[2:])
        assert torch.equal(explained(module, module[0]), explained(module, "0"))

    def test_a_single_image_is_a_batch_of_one(self, family: nn.Module) -> None:
        one = images(1)
        with GradCAM(family) as cam:
            torch.testing.assert_close(cam(one[0]), cam(one))
            torch.testing.assert_close(cam.logits(one[0]), cam.logits(one))
            wanted = torch.tensor([-1, 3])
            torch.testing.assert_close(cam.evidence(one[0], wanted), cam.evidence(one, wanted))

    def test_a_single_image_has_its_layers_averaged(self) -> None:
        module, one = tiny_network(), images(1)
        expected = explained(module, ["0", "1"], x=one)
        assert torch.equal(explained(module, ["0", "1"], x=one[0]), expected)

    def test_the_layer_found_stays_for_other_sizes(self) -> None:
        module = randomised(models.resnet18(weights=None))
        with GradCAM(module) as cam:
            assert cam(images(1, 64)).cam.shape == (1, 2, 2)
            assert cam(images(1, 96)).cam.shape == (1, 3, 3)
        with cam:
            assert cam(images(1, 128)).cam.shape == (1, 4, 4)

    def test_the_layer_is_found_once(self) -> None:
        module, passes = tiny_network(), []
        hook = module.register_forward_hook(lambda *_: passes.append(1))
        with GradCAM(module) as cam:
            cam(images())
            first = len(passes)
            cam(images())
        hook.remove()
        assert len(passes) == first + 1


class TestRestoration:
    FORMS = (None, "1", ["0", "1"])

    @staticmethod
    def half_trained() -> nn.Module:
        """A network in use: in training mode, with gradients, and with a frozen layer."""
        module: nn.Module = models.resnet18(weights=None, num_classes=5).train()
        module(images()).sum().backward()
        module.get_submodule("bn1").eval()
        module.get_submodule("fc").requires_grad_(False)
        return module

    @pytest.mark.parametrize("layer", [None, "layer4", ["layer3", "layer4"]])
    def test_the_module_is_unchanged_after_use(self, layer: str | list[str] | None) -> None:
        module = self.half_trained()
        before = state_of(module)
        with GradCAM(module, layer) as cam:
            cam(images())
            cam(images(1))
        assert state_of(module) == before

    @pytest.mark.parametrize("layer", FORMS)
    def test_the_module_is_unchanged_after_an_exception(
        self, layer: str | list[str] | None
    ) -> None:
        module = tiny_network().train().requires_grad_(True)
        before = state_of(module)
        with suppress(KeyError), GradCAM(module, layer) as cam:
            cam(images())
            raise KeyError
        assert state_of(module) == before

    @pytest.mark.parametrize("layer", FORMS)
    def test_the_module_is_unchanged_after_a_failing_forward_pass(
        self, layer: str | list[str] | None
    ) -> None:
        module = tiny_network().train().requires_grad_(True)
        before = state_of(module)
        with pytest.raises(RuntimeError), GradCAM(module, layer) as cam:
            cam(torch.zeros(1, 5, 8, 8))
        assert state_of(module) == before

    def test_the_module_is_unchanged_after_a_wrong_layer(self) -> None:
        module = tiny_network().train().requires_grad_(True)
        before = state_of(module)
        with pytest.raises(UsageError), GradCAM(module, "4") as cam:
            cam(images())
        assert state_of(module) == before


class TestMistakes:
    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            ("9", "no layer '9'; the closest ones for `layer` are"),
            ("", "no layer ''; the closest ones for `layer` are"),
            (["1", "9"], "no layer '9'; the closest ones for `layer` are"),
            ([], "`layer` is an empty list"),
            (nn.ReLU(), "the ReLU given as `layer` is not a layer of this Sequential"),
            (["1", nn.ReLU()], "the ReLU given as `layer` is not a layer of this Sequential"),
            (5, "`layer` is 5; give a layer's dotted name, its module, or a list of these"),
            ([None], "`layer` is None; give"),
        ],
    )
    def test_a_wrong_layer_is_rejected_at_once(self, layer: object, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            GradCAM(tiny_network(), layer)  # type: ignore[arg-type]

    def test_the_network_itself_is_no_layer(self) -> None:
        module = tiny_network()
        with pytest.raises(UsageError, match="the Sequential given as `layer` is not a layer of"):
            GradCAM(module, module)

    def test_a_network_without_maps_is_rejected(self) -> None:
        module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 5))
        with GradCAM(module) as cam, pytest.raises(UsageError, match="name one with `layer`"):
            cam(images())

    def test_nothing_is_explained_outside_the_block(self) -> None:
        with pytest.raises(RuntimeError, match="only inside the `with` block"):
            GradCAM(tiny_network())(images())
