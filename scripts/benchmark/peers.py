"""Grad-CAM by other libraries, each used as in its README, to compare ours with.

Each gets its own copy of the network (weights are shared, hooks are not) as torchvision returns
it, in `eval()` and with parameters that require gradients, because their READMEs start from that.
Objects that can serve several frames are created once.
"""

from __future__ import annotations

import copy
import importlib
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn

from live_cam.bench.contest import Contestant, Submission
from live_cam.errors import LiveCamError, UsageError, first_line
from live_cam.network.target_layer import get_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.network.classifier import Classifier

    Explain: TypeAlias = Callable[[Tensor], Submission]
    Way: TypeAlias = Callable[[nn.Module, str, ExitStack], Explain]

SEED, PYTORCH_GRAD_CAM, TORCHCAM, CAPTUM = "seed", "pytorch-grad-cam", "torchcam", "captum"


def open_peers(
    classifier: Classifier, device: torch.device, x: Tensor, stack: ExitStack
) -> tuple[list[Contestant], dict[str, str]]:
    """Open the peers that are installed and can explain this network.

    Args:
        classifier: The network, without any hooks yet, and its target layer; left unchanged.
        device: The network's device.
        x: A frame to try them on, 1×3×H×W float32.
        stack: Closes the peers.

    Returns:
        The contestants, and why each other peer failed, by name.
    """
    ways: dict[str, Way] = {
        SEED: by_the_seed,
        PYTORCH_GRAD_CAM: by_pytorch_grad_cam,
        TORCHCAM: by_torchcam,
        CAPTUM: by_captum,
    }
    peers, missing = [], {}
    for name, way in ways.items():
        opened = _open(way, classifier, x, stack)
        if isinstance(opened, str):
            missing[name] = opened
        else:
            peers.append(Contestant(name, opened, device=str(device), ours=False))
    return peers, missing


def _open(way: Way, classifier: Classifier, x: Tensor, stack: ExitStack) -> Explain | str:
    """Return a peer that has explained a frame, or why it cannot explain one."""
    try:
        explain = way(trainable_copy(classifier.module), classifier.layer, stack)
        explain(x)
    except ImportError as error:
        return f"not installed ({first_line(error)})"
    except LiveCamError as error:
        return str(error)
    except Exception as error:  # other libraries may fail in any way
        return f"cannot explain this network ({first_line(error)})"
    return explain


def trainable_copy(module: nn.Module) -> nn.Module:
    """Return a copy of a network as freshly loaded, with parameters that require gradients.

    The parameters are separate objects with their own gradients on shared memory.

    Args:
        module: The network, without hooks, which would be copied, too.
    """
    shared: dict[int, object] = {
        id(parameter): nn.Parameter(parameter.detach()) for parameter in module.parameters()
    }
    shared |= {id(buffer): buffer for buffer in module.buffers()}
    return copy.deepcopy(module, shared).eval()


def by_the_seed(module: nn.Module, layer: str, _stack: ExitStack) -> Explain:
    """This project's first version: a full backward pass, and the features computed twice.

    Raises:
        UsageError: The network is not like VGG, the only family that version supported.
    """
    name, _, number = layer.partition(".")
    if name != "features" or not number.isdecimal() or not hasattr(module, "avgpool"):
        raise UsageError(f"the seed explains only VGG, not {type(module).__name__}.")
    features = get_layer(module, "features")
    classifier, avgpool = get_layer(module, "classifier"), get_layer(module, "avgpool")
    assert isinstance(features, nn.Sequential)
    below, above = features[: int(number) + 1], features[int(number) + 1 :]

    def explain(x: Tensor) -> Submission:
        gradients: list[Tensor] = []
        maps = below(x)
        maps.register_hook(gradients.append)
        scores = classifier(torch.flatten(avgpool(above(maps)), 1))
        index = int(scores.argmax(dim=1))
        module.zero_grad()
        scores[:, index].backward()
        pooled = gradients[0].mean(dim=(0, 2, 3))
        activations = below(x).detach()
        cam = (activations * pooled[:, None, None]).mean(dim=1).relu()
        return Submission(_to_numpy(cam), index)

    return explain


def by_pytorch_grad_cam(module: nn.Module, layer: str, stack: ExitStack) -> Explain:
    """pytorch-grad-cam: https://github.com/jacobgil/pytorch-grad-cam."""
    library = importlib.import_module("pytorch_grad_cam")
    peer = stack.enter_context(
        library.GradCAM(model=module, target_layers=[get_layer(module, layer)])
    )
    # It returns a normalised map at the input's size. The raw map is intercepted, so that all of
    # the README's call is timed.
    raw: list[NDArray[np.float32]] = []
    original = peer.get_cam_image

    def get_cam_image(*arguments: object, **options: object) -> NDArray[np.float32]:
        image: NDArray[np.float32] = original(*arguments, **options)
        raw[:] = [image[0].clip(min=0)]
        return image

    peer.get_cam_image = get_cam_image

    def explain(x: Tensor) -> Submission:
        peer(input_tensor=x, targets=None)
        return Submission(raw[0], int(peer.outputs.argmax(dim=1)))

    return explain


def by_torchcam(module: nn.Module, layer: str, stack: ExitStack) -> Explain:
    """TorchCAM: https://github.com/frgfm/torch-cam."""
    library = importlib.import_module("torchcam.methods")
    peer = stack.enter_context(library.GradCAM(module, layer))

    def explain(x: Tensor) -> Submission:
        scores = module(x)
        index = int(scores.argmax(dim=1))
        # It normalises by default; skipping that saves no measurable time.
        (cam,) = peer(index, scores, normalized=False)
        return Submission(_to_numpy(cam), index)

    return explain


def by_captum(module: nn.Module, layer: str, _stack: ExitStack) -> Explain:
    """Captum: https://captum.ai."""
    library = importlib.import_module("captum.attr")
    top: list[Tensor] = []

    def top_score(x: Tensor) -> Tensor:
        # Captum needs the class before it runs the network; a function that returns the top logit
        # avoids a second forward pass.
        scores: Tensor = module(x)
        best = scores.max(dim=1)
        top[:] = [best.indices]
        return best.values

    peer = library.LayerGradCam(top_score, get_layer(module, layer))

    def explain(x: Tensor) -> Submission:
        cam = peer.attribute(x, relu_attributions=True)
        return Submission(_to_numpy(cam[:, 0]), int(top[0]))

    return explain


def _to_numpy(cam: Tensor) -> NDArray[np.float32]:
    one: NDArray[np.float32] = cam[0].detach().cpu().numpy()
    return one
