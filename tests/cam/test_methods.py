from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from live_cam import settings
from live_cam.cam.gradcam import GradCAM
from live_cam.cam.methods import METHODS
from tests.support.networks import channels_first, randomised


def unchanged(features: Tensor) -> Tensor:
    return features


def without_class_token(tokens: Tensor) -> Tensor:
    """As pytorch-grad-cam's own examples do for a ViT with 96×96 pixels."""
    return tokens[:, 1:].reshape(len(tokens), 6, 6, -1).transpose(2, 3).transpose(1, 2)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, Callable[[Tensor], Tensor]]] = {
    "vgg19": (
        lambda: models.vgg19(weights=None, init_weights=False),
        "features.35",
        unchanged,
    ),
    "resnet18": (lambda: models.resnet18(weights=None), "layer4", unchanged),
    "mobilenet_v2": (lambda: models.mobilenet_v2(weights=None), "features.18", unchanged),
    "vit_b_16": (
        lambda: models.vit_b_16(weights=None, image_size=96),
        "encoder.layers.encoder_layer_11.ln_1",
        without_class_token,
    ),
    "swin_t": (lambda: models.swin_t(weights=None), "norm", channels_first),
}
PEERS = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "gradcam-elementwise": "GradCAMElementWise",
    "eigengradcam": "EigenGradCAM",
    "eigencam": "EigenCAM",
}
OF_ARBITRARY_SIGN = ("eigengradcam", "eigencam")


def test_every_method_has_a_name_in_the_settings() -> None:
    assert tuple(METHODS) == settings.METHODS == tuple(PEERS)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_method_equals_pytorch_grad_cam(network: str) -> None:
    peers = pytest.importorskip("pytorch_grad_cam")
    make, layer, reshape = NETWORKS[network]
    module = randomised(make())
    # The peer's Grad-CAM++ adds 1e-6 to squared gradients; this keeps them far above that.
    last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
    last.weight.data.mul_(1e3)
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    kept: list[Tensor] = []
    hook = module.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: kept.append(output.detach().clone())
    )
    with torch.no_grad():
        module(x)
    hook.remove()
    activations = reshape(kept[0])
    for method, name in PEERS.items():
        with GradCAM(module, layer, method=method) as cam:
            ours = cam(x, 3).cam.numpy()
        gradients = reshape(gradients_of(module, layer, x, 3))
        peer = getattr(peers, name)(module, [module.get_submodule(layer)])
        raw = peer.get_cam_image(
            x, None, None, activations.numpy(), gradients.numpy(), eigen_smooth=False
        )
        if method in OF_ARBITRARY_SIGN:
            raw = raw * np.sign((raw * ours).sum(axis=(1, 2), keepdims=True))
        expected = np.maximum(raw, 0)
        peer.activations_and_grads.release()
        assert expected.max() > 0, method
        assert np.abs(ours - expected).max() <= 1e-4 * expected.max(), method


def gradients_of(module: nn.Module, layer: str, x: Tensor, class_index: int) -> Tensor:
    """Return gradients by plain autograd, without live_cam."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()

    hook = module.get_submodule(layer).register_forward_hook(keep)
    try:
        module(x)[:, class_index].sum().backward()
    finally:
        hook.remove()
    assert kept[0].grad is not None
    return kept[0].grad


@pytest.mark.parametrize("network", ["vit_b_16", "swin_t"])
def test_the_evidence_equals_pytorch_grad_cams_with_a_reshape_transform(
    network: str,
) -> None:
    peers = pytest.importorskip("pytorch_grad_cam")
    make, layer, reshape = NETWORKS[network]
    module = randomised(make())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    with GradCAM(module, layer) as cam:
        ours = cam.evidence(x, torch.tensor([3]))
    module.requires_grad_(True)
    with peers.GradCAM(module, [module.get_submodule(layer)], reshape_transform=reshape) as peer:
        peer.activations_and_grads(x)[:, 3].sum().backward()
        (activations,) = peer.activations_and_grads.activations
        (gradients,) = peer.activations_and_grads.gradients
    for mine, theirs in ((ours.activations, activations), (ours.gradients[:, 0], gradients)):
        assert float(theirs.abs().max()) > 0
        assert float((mine - theirs).abs().max()) <= 1e-4 * float(theirs.abs().max())


@pytest.mark.parametrize("method", METHODS)
def test_the_images_of_a_batch_are_independent(method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(3, 5, 4, 6, generator=generator)
    gradients = torch.randn(3, 5, 4, 6, generator=generator)
    together = METHODS[method](activations, gradients)
    assert together.shape == (3, 4, 6)
    assert together.min() >= 0
    for index in range(3):
        alone = METHODS[method](activations[index : index + 1], gradients[index : index + 1])
        assert torch.allclose(together[index], alone[0], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_no_evidence_gives_an_empty_map(method: str) -> None:
    nothing = torch.zeros(1, 5, 4, 4)
    assert METHODS[method](nothing, nothing).eq(0).all()


@pytest.mark.parametrize("method", [name for name in METHODS if name != "gradcam"])
def test_methods_differ_from_gradcam(method: str) -> None:
    generator = torch.Generator().manual_seed(2)
    activations = torch.rand(1, 5, 4, 4, generator=generator)
    gradients = torch.randn(1, 5, 4, 4, generator=generator)
    plain = METHODS["gradcam"](activations, gradients)
    assert not torch.allclose(METHODS[method](activations, gradients), plain, atol=1e-3)


def test_gradcam_plus_plus_follows_the_paper_for_tiny_gradients() -> None:
    generator = torch.Generator().manual_seed(3)
    activations = torch.rand(1, 5, 4, 4, generator=generator)
    gradients = 1e-5 * torch.randn(1, 5, 4, 4, generator=generator)
    ours = METHODS["gradcam++"](activations, gradients)[0].numpy()
    # Equations 19, 5 and 7 of the paper, term by term.
    a, g = activations[0].double().numpy(), gradients[0].double().numpy()
    alpha = g**2 / (2 * g**2 + a.sum(axis=(1, 2), keepdims=True) * g**3)
    weights = (alpha * np.maximum(g, 0)).sum(axis=(1, 2))
    expected = np.maximum((weights[:, None, None] * a).sum(axis=0), 0)
    assert np.abs(ours - expected).max() <= 1e-5 * expected.max()


@pytest.mark.parametrize("shape", [(1, 40, 3, 4), (1, 6, 9, 8)])
def test_the_first_component_peaks_where_the_features_are_strong(shape: tuple[int, ...]) -> None:
    activations = 0.01 * torch.rand(shape, generator=torch.Generator().manual_seed(4))
    activations[:, :, 1, 2] += 1.0
    for gradients in (torch.ones(shape), torch.full(shape, 0.5)):
        for method in OF_ARBITRARY_SIGN:
            cam = METHODS[method](activations, gradients)[0]
            assert divmod(int(cam.argmax()), shape[3]) == (1, 2), method
