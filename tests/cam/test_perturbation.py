from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models

from live_cam import settings
from live_cam.cam.averaging import averaged
from live_cam.cam.gradcam import GradCAM
from live_cam.cam.methods import METHODS
from live_cam.cam.opening import open_cam
from live_cam.cam.perturbation import AblationCAM, PerturbationCAM, ScoreCAM
from live_cam.errors import NonFiniteError, UsageError
from live_cam.network.precision import Precision
from tests.support.networks import channels_first, randomised, tiny_network

# Target layers that end in a ReLU, where pytorch-grad-cam ablates as the paper does.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, int]]] = {
    "vgg19": (lambda: models.vgg19(weights=None, init_weights=False), "features.8", (1, 32)),
    "resnet18": (lambda: models.resnet18(weights=None), "layer3", (1, 48)),
    "squeezenet1_1": (lambda: models.squeezenet1_1(weights=None), "features.12", (2, 48)),
}


def images(count: int = 2, side: int = 48) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def raw_map_of_peer(
    name: str,
    module: nn.Module,
    layer: str,
    x: Tensor,
    reshape: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[np.float32]:
    """Return pytorch-grad-cam's map before it is scaled, clamped at 0."""
    peers = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    target = module.get_submodule(layer)
    outputs = [targets.ClassifierOutputTarget(3)] * len(x)
    with (
        torch.no_grad(),
        getattr(peers, name)(module, [target], reshape_transform=reshape) as peer,
    ):
        peer.activations_and_grads(x)
        activations = peer.activations_and_grads.activations[0].numpy()
        raw: NDArray[np.float32] = peer.get_cam_image(x, target, outputs, activations, None)
    return np.maximum(raw, 0)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", ["scorecam", "ablationcam"])
def test_perturbation_methods_equal_pytorch_grad_cam(method: str, network: str) -> None:
    make, layer, size = NETWORKS[network]
    module = randomised(make())
    x = images(*size)
    with open_cam(module, [layer], method) as cam:
        result = cam(x, 3)
    name = {"scorecam": "ScoreCAM", "ablationcam": "AblationCAM"}[method]
    expected = raw_map_of_peer(name, module, layer, x)
    assert result.class_index.tolist() == [3] * len(x)
    torch.testing.assert_close(result.logits, module(x), rtol=1e-4, atol=1e-4)
    assert expected.max() > 0
    assert np.abs(result.cam.numpy() - expected).max() <= 1e-4 * expected.max()


def test_scorecam_of_a_transformer_equals_pytorch_grad_cam() -> None:
    module = randomised(models.swin_t(weights=None))
    x = images(1, 64)
    with ScoreCAM(module, "features.3.0.norm1") as cam:
        ours = cam(x, 3).cam.numpy()
    expected = raw_map_of_peer("ScoreCAM", module, "features.3.0.norm1", x, channels_first)
    assert expected.max() > 0
    assert np.abs(ours - expected).max() <= 1e-4 * expected.max()


class Undecided(nn.Module):
    """Cannot be cut, because its control flow depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=8)
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        if features.sum() > 0:
            features = features * 1
        return self.linear(features.mean((2, 3)).relu())  # type: ignore[no-any-return]


def vit() -> nn.Module:
    module: nn.Module = models.VisionTransformer(
        image_size=48, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    return module


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (Undecided, "conv"),
        (vit, "encoder.layers.encoder_layer_1.ln_1"),
        (tiny_network, "0"),
    ],
)
def test_ablation_follows_the_paper_where_features_are_below_zero(
    make: Callable[[], nn.Module], layer: str
) -> None:
    """The definition, one channel at a time: the relative drop of the logit without it."""
    module = randomised(make())
    [*_, last] = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    last.weight.data.abs_()  # so that the logit is above 0
    x = images(2)
    with GradCAM(module, layer) as gradient:
        maps = gradient.evidence(x, torch.tensor([2])).activations
    with AblationCAM(module, layer, batch=7) as cam:
        ours = cam(x, 2).cam
    axis = 2 if maps.shape[1] == 16 else 1
    before = module(x)[:, 2]
    expected = torch.zeros_like(ours)
    for channel in range(maps.shape[1]):

        def ablate(
            _module: nn.Module, _inputs: object, output: Tensor, channel: int = channel
        ) -> Tensor:
            output = output.clone()
            output.select(axis, channel).zero_()
            return output

        hook = module.get_submodule(layer).register_forward_hook(ablate)
        after = module(x)[:, 2]
        hook.remove()
        weight = (before - after) / before
        expected += weight[:, None, None] * maps[:, channel]
    expected = expected.relu()
    assert float(maps.min()) < 0
    assert float(expected.max()) > 0
    assert float((ours - expected).abs().max()) <= 1e-4 * float(expected.max())


def test_ablation_runs_only_the_head_of_a_network_that_can_be_cut() -> None:
    module = tiny_network()
    seen: list[int] = []
    hook = module[0].register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    with AblationCAM(module, "1", batch=3) as cam:
        cam(images(2), 1)
    hook.remove()
    assert max(seen) == 2


@pytest.mark.parametrize("kind", [ScoreCAM, AblationCAM])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_batch_size_does_not_change_the_map(kind: type[PerturbationCAM], batch: int) -> None:
    module = tiny_network()
    progress: list[tuple[int, int]] = []
    with kind(module, "1") as cam:
        expected = cam(images(2)).cam
    with kind(module, "1", batch=batch, progress=lambda *done: progress.append(done)) as cam:
        torch.testing.assert_close(cam(images(2)).cam, expected, rtol=1e-4, atol=1e-5)
        alone = cam(images(2)[1:]).cam
    torch.testing.assert_close(alone, expected[1:], rtol=1e-4, atol=1e-5)
    assert progress[0] == (min(batch, 8), 16)
    assert (16, 16) in progress
    assert progress[-1] == (8, 8)


@pytest.mark.parametrize("method", settings.STILL_METHODS)
def test_open_cam_averages_several_layers(method: str) -> None:
    module = tiny_network()
    alone = []
    for layer in ("0", "2"):
        with open_cam(module, [layer], method) as cam:
            alone.append(cam(images(), 2).cam)
    with open_cam(module, ["0", "2"], method) as cams:
        result = cams(images(), 2)
    torch.testing.assert_close(result.cam, averaged(alone, 48, 48), rtol=1e-4, atol=1e-5)
    assert result.class_index.tolist() == [2, 2]


@pytest.mark.parametrize("method", ["scorecam", "ablationcam"])
def test_perturbation_leaves_the_network_unchanged(method: str) -> None:
    module = tiny_network()
    module.train().requires_grad_(True)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with open_cam(module, ["1"], method) as cam:
        assert not module[1].training
        result = cam(images())
    assert not result.cam.requires_grad
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())
    with pytest.raises(RuntimeError, match="with"):
        cam(images())


def test_half_precision_correlates_with_float32() -> None:
    module = tiny_network()
    for kind in (ScoreCAM, AblationCAM):
        with kind(module, "1") as cam:
            exact = cam(images(), 2).cam
        with kind(module, "1", Precision("bf16")) as cam:
            rough = cam(images(), 2).cam
        both = torch.stack([exact.flatten(), rough.flatten()])
        assert float(torch.corrcoef(both)[0, 1]) > 0.97


def test_a_single_image_is_a_batch_of_one() -> None:
    for kind in (ScoreCAM, AblationCAM):
        with kind(tiny_network(), "1") as cam:
            torch.testing.assert_close(cam(images(1)[0], 2), cam(images(1), 2))


def test_mistakes_are_rejected() -> None:
    assert (*METHODS, "scorecam", "ablationcam") == settings.STILL_METHODS
    with pytest.raises(UsageError, match=r"no method 'score'; choose .*scorecam"):
        open_cam(tiny_network(), ["1"], "score")
    with pytest.raises(UsageError, match="no layer '9'"):
        open_cam(tiny_network(), ["9"], "scorecam")
    with open_cam(tiny_network(), ["1"], "scorecam") as cam, pytest.raises(UsageError, match="0 t"):
        cam(images(), 7)
    module = tiny_network()
    with torch.no_grad():
        dict(module.named_parameters())["6.bias"][2] = float("nan")
    for method in ("scorecam", "ablationcam"):
        with open_cam(module, ["1"], method) as cam, pytest.raises(NonFiniteError):
            cam(images(), 2)
