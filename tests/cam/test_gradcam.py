from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytorch_grad_cam import GradCAM as PytorchGradCAM
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torchcam.methods import GradCAM as TorchCAM
from torchvision import models

from live_cam.cam.gradcam import CAMResult, GradCAM
from live_cam.errors import NonFiniteError, UsageError
from live_cam.network.precision import Precision
from live_cam.network.preprocess import Preprocessor
from live_cam.network.target_layer import get_layer
from tests.support.networks import COLOUR_CLASSES, colour_vgg19, randomised, tiny_network

TOLERANCE = 1e-4


def assert_same_map(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert float(theirs.max()) > 0, "an empty map compares nothing"
    assert float((ours - theirs).abs().max()) <= TOLERANCE * float(theirs.max())


def plain_autograd(module: nn.Module, layer: str, x: Tensor, index: int) -> Tensor:
    """Grad-CAM from its definition, with the whole tape and none of our code.

    The layers above see a copy of the target layer's output, so none can change it in place.
    """
    outputs: list[Tensor] = []

    def record(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()

    hook = get_layer(module, layer).register_forward_hook(record)
    module(x.clone().requires_grad_())[0, index].backward(inputs=outputs)
    hook.remove()
    (activation,) = outputs
    assert activation.grad is not None
    weights = activation.grad.mean(dim=(2, 3), keepdim=True)
    cam: Tensor = (weights * activation.detach()).sum(dim=1).relu()
    return cam


def by_pytorch_grad_cam(module: nn.Module, layer: str, x: Tensor, index: int) -> Tensor:
    module.requires_grad_(True)
    target = get_layer(module, layer)
    with PytorchGradCAM(model=module, target_layers=[target]) as peer:
        peer.activations_and_grads(x)[0, index].backward()
        activations = peer.activations_and_grads.activations[0].numpy()
        gradients = peer.activations_and_grads.gradients[0].numpy()
        image = peer.get_cam_image(x, target, None, activations, gradients, eigen_smooth=False)
    module.requires_grad_(False)
    cam: Tensor = torch.from_numpy(image).relu()
    return cam


def by_torchcam(module: nn.Module, layer: str, x: Tensor, index: int) -> Tensor:
    module.requires_grad_(True)
    with TorchCAM(module, layer) as peer:
        (image,) = peer(index, module(x), normalized=False)
    module.requires_grad_(False)
    cam: Tensor = image.detach()
    return cam


NETWORKS = {
    "resnet18": "layer4",
    "mobilenet_v2": "features.18",
    "googlenet": "inception5b",
}


@pytest.fixture(scope="module", params=["vgg19", *NETWORKS])
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, str]:
    if request.param == "vgg19":
        return request.getfixturevalue("random_vgg19"), "features.35"
    options = {"init_weights": False} if request.param == "googlenet" else {}
    module = models.get_model(request.param, weights=None, **options)
    return randomised(module), NETWORKS[request.param]


class TestAgreement:
    @pytest.mark.parametrize("peer", [by_pytorch_grad_cam, by_torchcam, plain_autograd])
    @pytest.mark.parametrize("rank", [0, 1], ids=["top", "runner-up"])
    def test_map_equals_the_peer(
        self,
        network: tuple[nn.Module, str],
        image_batch: Tensor,
        peer: Callable[[nn.Module, str, Tensor, int], Tensor],
        rank: int,
    ) -> None:
        module, layer = network
        x = image_batch[:1]
        index = int(module(x)[0].topk(2).indices[rank])
        with GradCAM(module, layer) as cam:
            ours = cam(x, index if rank else None)
        assert ours.class_index.tolist() == [index]
        assert_same_map(ours.cam, peer(module, layer, x, index))

    def test_a_layer_before_an_in_place_relu_has_its_true_activation(
        self, random_vgg19: nn.Module, image_batch: Tensor
    ) -> None:
        """The libraries see the ReLU's output instead, or fail; plain autograd sees the truth."""
        x = image_batch[:1]
        with GradCAM(random_vgg19, "features.34") as cam:
            ours = cam(x)
        index = int(ours.class_index[0])
        assert_same_map(ours.cam, plain_autograd(random_vgg19, "features.34", x, index))
        with GradCAM(random_vgg19, "features.35") as cam:
            after = cam(x).cam
        assert not torch.allclose(ours.cam, after, rtol=0.01), "34 and 35 are different layers"

    def test_a_relu_after_a_container_may_work_in_place(self, image_batch: Tensor) -> None:
        module = randomised(models.densenet121(weights=None))
        x = image_batch[:1]
        with GradCAM(module, "features") as cam:
            ours = cam(x)
        index = int(ours.class_index[0])
        assert_same_map(ours.cam, plain_autograd(module, "features", x, index))


@pytest.fixture(scope="module")
def colours() -> nn.Module:
    return colour_vgg19()


@pytest.fixture(scope="module")
def patches() -> Tensor:
    """A red, a green and a blue patch, of different shades, each on noisy grey."""
    noise = torch.Generator().manual_seed(1)
    images = torch.randint(120, 130, (3, 48, 48, 3), generator=noise, dtype=torch.uint8)
    images[0, 2:30, 4:30, 2] = 231
    images[1, 20:45, 12:30, 1] = 205
    images[2, 2:40, 20:46, 0] = 187
    prepare = Preprocessor((48, 48), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return torch.cat([prepare(image.numpy()) for image in images])


@pytest.fixture(scope="module")
def exact(colours: nn.Module, patches: Tensor) -> CAMResult:
    with GradCAM(colours, TestBfloat16.LAYER) as cam:
        return cam(patches)


@pytest.fixture(scope="module")
def rounded(colours: nn.Module, patches: Tensor) -> CAMResult:
    with GradCAM(colours, TestBfloat16.LAYER, precision=Precision("bf16")) as cam:
        return cam(patches)


class TestBfloat16:
    """What the format costs, on the VGG-19 that sees colours, where each rounding can be counted.

    Random weights have no such answer: their map is what is left when large terms cancel, so the
    order in which a CPU's kernels add decides how much of it survives.

    An image of 48×48 pixels makes a map of 3×3, over which the 49 positions of the classifier,
    with a gradient of 10 each, have a mean of 54.44. bfloat16 has 54.5, and 54.25 below it.
    """

    LAYER = "features.35"
    WEIGHT = 10 * 49 / 9
    ROUNDING = 2.0**-8
    """Relative, at most: half a unit in the last of 8 significant bits."""

    @staticmethod
    def is_held(numbers: Tensor) -> bool:
        """Whether bfloat16 has these numbers, but for float32's own rounding."""
        return torch.allclose(numbers, numbers.bfloat16().float(), rtol=1e-6, atol=0)

    def test_the_map_differs_by_no_more_than_the_roundings(
        self, colours: nn.Module, patches: Tensor, exact: CAMResult, rounded: CAMResult
    ) -> None:
        """Each pixel, weight, bias and sum of the first convolution is rounded once.

        The other fifteen multiply by 1, which costs nothing.
        """
        first = next(layer for layer in colours.modules() if isinstance(layer, nn.Conv2d))
        assert first.bias is not None
        terms = functional.conv2d(patches.abs(), first.weight.abs(), padding=1)
        sums = functional.conv2d(patches, first.weight, first.bias, padding=1).relu()
        roundings = 2 * terms + first.bias.abs()[:, None, None] + sums
        most = self.WEIGHT * self.ROUNDING * functional.max_pool2d(roundings, 16)
        for index in range(3):
            assert float(exact.cam[index].max()) > 1, "an empty map compares nothing"
            difference = (rounded.cam[index] - exact.cam[index]).abs()
            # A hundredth more, for the roundings of what is rounded already.
            assert bool((difference <= 1.01 * most[index, index]).all())
        assert exact.class_index.tolist() == list(COLOUR_CLASSES.values())
        assert rounded.class_index.tolist() == list(COLOUR_CLASSES.values())

    def test_activations_are_rounded_and_nothing_after_them(
        self, exact: CAMResult, rounded: CAMResult
    ) -> None:
        assert rounded.cam.dtype == torch.float32
        assert rounded.logits.dtype == torch.float32
        assert not self.is_held(exact.cam / self.WEIGHT), "float32 has other activations"
        assert self.is_held(rounded.cam / self.WEIGHT), "bfloat16's, and a float32 mean"
        assert not self.is_held(rounded.cam), "weighted in float32"

    @pytest.mark.parametrize("exponent", [40, -40])
    def test_it_has_the_range_of_float32(
        self, colours: nn.Module, patches: Tensor, rounded: CAMResult, exponent: int
    ) -> None:
        """A power of two costs nothing, while float16's largest is 2^15 and its least 2^-24.

        The first convolution scales the activations, the last layer the gradients.
        """
        factor = 2.0**exponent
        first = next(layer for layer in colours.modules() if isinstance(layer, nn.Conv2d))
        last = [layer for layer in colours.modules() if isinstance(layer, nn.Linear)][-1]
        scaled_parameters = [*first.parameters(), last.weight]
        with torch.no_grad():
            for parameter in scaled_parameters:
                parameter.mul_(factor)
        try:
            with GradCAM(colours, self.LAYER, precision=Precision("bf16")) as cam:
                scaled = cam(patches[:1])
        finally:
            with torch.no_grad():
                for parameter in scaled_parameters:
                    parameter.div_(factor)
        assert torch.equal(scaled.cam, rounded.cam[:1] * factor**2)
        assert torch.equal(scaled.logits, rounded.logits[:1] * factor**2)


class TestResult:
    def test_shapes_and_types(self, image_batch: Tensor) -> None:
        x = image_batch[:, :, :32, :48]
        with GradCAM(tiny_network(), "1") as cam:
            result = cam(x)
        assert result.cam.shape == (2, 32, 48)
        assert result.cam.dtype == torch.float32
        assert float(result.cam.min()) >= 0
        assert result.logits.shape == (2, 7)
        assert result.class_index.tolist() == result.logits.argmax(dim=1).tolist()
        assert not result.cam.requires_grad
        assert not result.logits.requires_grad

    def test_the_images_of_a_batch_are_independent(self, image_batch: Tensor) -> None:
        with GradCAM(tiny_network(), "1") as cam:
            together = cam(image_batch, torch.tensor([2, 5]))
            alone = [cam(image_batch[:1], 2), cam(image_batch[1:], 5)]
        assert together.class_index.tolist() == [2, 5]
        for index, one in enumerate(alone):
            assert_same_map(together.cam[index], one.cam[0])

    def test_tokens_become_a_map_without_the_class_token(self) -> None:
        module = models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
        )
        randomised(module)
        with GradCAM(module, "encoder.layers.encoder_layer_1.ln_1") as cam:
            result = cam(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)))
        assert result.cam.shape == (1, 4, 4)
        assert float(result.cam.max()) > 0


class TestTape:
    def test_no_backward_kernel_runs_below_the_target_layer(
        self, random_vgg19: nn.Module, image_batch: Tensor
    ) -> None:
        names: list[str] = []

        class Spy(TorchDispatchMode):  # type: ignore[no-untyped-call]
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
                names.append(str(func))
                return func(*args, **(kwargs or {}))

        with GradCAM(random_vgg19, "features.35") as cam, Spy():  # type: ignore[no-untyped-call]
            cam(image_batch[:1])
        # Below features.35 there are 16 convolutions and 4 poolings, above it one pooling and the
        # classifier. So the backward pass runs through one pooling and no convolution.
        assert sum("aten.convolution.default" in name for name in names) == 16
        assert not [name for name in names if "convolution_backward" in name]
        assert sum("max_pool2d_with_indices_backward" in name for name in names) == 1

    def test_a_network_in_training_mode_is_restored(self) -> None:
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 3)
        )
        module[1].eval()
        module[0].weight.requires_grad_(False)
        before = {key: value.clone() for key, value in module.state_dict().items()}
        training = [layer.training for layer in module.modules()]
        requires = [parameter.requires_grad for parameter in module.parameters()]
        with GradCAM(module, "1") as cam:
            assert not any(layer.training for layer in module.modules())
            cam(torch.randn(1, 3, 8, 8))
        assert [layer.training for layer in module.modules()] == training
        assert [parameter.requires_grad for parameter in module.parameters()] == requires
        assert all(parameter.grad is None for parameter in module.parameters())
        assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
        assert not any(layer._forward_hooks for layer in module.modules())
        assert torch.is_grad_enabled()

    def test_no_hook_remains_after_an_exception(self) -> None:
        module = tiny_network()
        cam = GradCAM(module, "1")
        with pytest.raises(KeyError), cam:
            raise KeyError
        assert not any(layer._forward_hooks for layer in module.modules())
        with pytest.raises(RuntimeError, match="with"):
            cam(torch.zeros(1, 3, 8, 8))

    def test_a_failing_forward_pass_restores_the_gradient_mode(self) -> None:
        with GradCAM(tiny_network(), "1") as cam:
            with pytest.raises(RuntimeError):
                cam(torch.zeros(1, 5, 8, 8))
            assert torch.is_grad_enabled()
            assert float(cam(torch.ones(1, 3, 8, 8)).logits.abs().max()) > 0

    def test_gradients_disabled_by_the_caller_stay_disabled(self) -> None:
        x = torch.ones(1, 3, 8, 8)
        with GradCAM(tiny_network(), "1") as cam:
            expected = cam(x).cam
            with torch.no_grad():
                assert torch.equal(cam(x).cam, expected)
                assert not torch.is_grad_enabled()


class TestPrecision:
    @staticmethod
    def faint_network() -> nn.Sequential:
        """Its gradient at the first layer is about 1e-9, below float16's smallest 6e-8."""
        module = tiny_network(seed=3)
        with torch.no_grad():
            for layer, factor in ((module[4], 3e-5), (module[6], 3e-4)):
                assert isinstance(layer, nn.Linear)
                layer.weight.mul_(factor)
                layer.bias.fill_(0.1)
        return module

    def test_small_gradients_survive_float16(self) -> None:
        module = self.faint_network()
        x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(4))
        with GradCAM(module, "1") as cam:
            exact = cam(x, 2).cam
        half = Precision("fp16")
        with GradCAM(module, "1", precision=half) as cam:
            scaled = cam(x, 2).cam
            half.scale = 1.0
            unscaled = cam(x, 2).cam
        assert float(unscaled.max()) == 0, "the gradient must underflow"
        correlation = torch.corrcoef(torch.stack([exact.flatten(), scaled.flatten()]))[0, 1]
        assert float(correlation) > 0.99
        assert float(scaled.max()) == pytest.approx(float(exact.max()), rel=0.1)

    def test_an_overflowing_scale_is_lowered_and_the_gradient_computed_again(self) -> None:
        x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(4))
        half = Precision("fp16")
        half.scale = 2.0**40
        with GradCAM(tiny_network(), "1") as cam:
            exact = cam(x, 2).cam
        with GradCAM(tiny_network(), "1", precision=half) as cam:
            result = cam(x, 2).cam
        assert half.scale < 2.0**40
        assert bool(torch.isfinite(result).all())
        assert float((result - exact).abs().max()) < 0.05 * float(exact.max())

    @pytest.mark.parametrize(
        ("precision", "remedy"), [("fp32", "the weights"), ("fp16", "`precision=fp32`")]
    )
    def test_logits_that_are_not_finite_never_become_a_map(
        self, precision: str, remedy: str
    ) -> None:
        module = tiny_network()
        with torch.no_grad():
            dict(module.named_parameters())["6.bias"][2] = float("nan")
        cam = GradCAM(module, "1", precision=Precision(precision))
        with cam, pytest.raises(NonFiniteError, match=remedy):
            cam(torch.ones(1, 3, 8, 8), 2)


class TestMistakes:
    def test_an_unknown_layer_is_rejected_with_the_closest_names(self) -> None:
        with pytest.raises(UsageError, match=r"features\.53.*`layer`.*features\.5"):
            GradCAM(models.vgg11(weights=None, init_weights=False), "features.53")

    def test_an_unknown_method_is_rejected(self) -> None:
        with pytest.raises(UsageError, match=r"'gradcan'.*gradcam"):
            GradCAM(tiny_network(), "1", method="gradcan")

    @pytest.mark.parametrize("index", [7, -1])
    def test_a_class_out_of_range_is_rejected(self, index: int) -> None:
        with GradCAM(tiny_network(), "1") as cam, pytest.raises(UsageError, match="0 to 6"):
            cam(torch.zeros(1, 3, 8, 8), index)

    def test_a_layer_without_maps_is_rejected(self) -> None:
        with GradCAM(tiny_network(), "4") as cam, pytest.raises(UsageError, match=r"1×16.*`la"):
            cam(torch.zeros(1, 3, 8, 8))

    def test_a_layer_that_the_logits_do_not_depend_on_is_rejected(self) -> None:
        class Forked(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.side = nn.Conv2d(3, 4, 1)
                self.idle = nn.Conv2d(3, 4, 1)
                self.main = nn.Conv2d(3, 5, 1)

            def forward(self, x: Tensor) -> Tensor:
                self.side(x)
                logits: Tensor = self.main(x).mean(dim=(2, 3))
                return logits

        module = Forked().eval()
        x = torch.zeros(1, 3, 8, 8)
        with GradCAM(module, "side") as cam, pytest.raises(UsageError, match="do not depend"):
            cam(x)
        with GradCAM(module, "idle") as cam, pytest.raises(UsageError, match="takes no part"):
            cam(x)
