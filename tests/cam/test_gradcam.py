from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytorch_grad_cam import GradCAM as PytorchGradCAM
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchcam.methods import GradCAM as TorchCAM
from torchvision import models

from live_cam.cam.gradcam import GradCAM
from live_cam.errors import NonFiniteError, UsageError
from live_cam.network.precision import Precision
from live_cam.network.target_layer import get_layer
from tests.networks import randomised, tiny_network

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

    def test_bfloat16_correlates_with_float32(
        self, random_vgg19: nn.Module, image_batch: Tensor
    ) -> None:
        with GradCAM(random_vgg19, "features.35") as cam:
            exact = cam(image_batch, 281).cam
        with GradCAM(random_vgg19, "features.35", precision=Precision("bf16")) as cam:
            rough = cam(image_batch, 281)
        assert rough.cam.dtype == torch.float32
        assert rough.logits.dtype == torch.float32
        for one, other in zip(exact, rough.cam, strict=True):
            assert float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) > 0.99


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
