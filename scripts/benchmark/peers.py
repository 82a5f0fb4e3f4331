"""Grad-CAM by others, each used as its README says: what the benchmark measures ours against.

All get the network as torchvision hands it out, in `eval()` and with parameters that require
gradients, for that is what their READMEs start from, and each its own copy of it (weights are
shared, hooks are not). All of their objects that can serve more than one frame do.
"""

from __future__ import annotations

import copy
import importlib
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import nn

from live_cam.bench.contest import Answer, Contestant
from live_cam.errors import LiveCamError, UsageError, first_line
from live_cam.network.target_layer import get_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from live_cam.network.classifier import Classifier

    Explain: TypeAlias = Callable[[Tensor], Answer]
    Way: TypeAlias = Callable[[nn.Module, str, ExitStack], Explain]

SEED, PYTORCH_GRAD_CAM, TORCHCAM, CAPTUM = "seed", "pytorch-grad-cam", "torchcam", "captum"


def open_peers(
    classifier: Classifier, device: torch.device, x: Tensor, stack: ExitStack
) -> tuple[list[Contestant], dict[str, str]]:
    """Open the peers that are installed and explain this network.

    Args:
        classifier: The network, without any hooks yet, and its target layer; left as it is.
        device: Where the network is.
        x: A frame to try them on, 1×3×H×W float32.
        stack: Closes them.

    Returns:
        The contestants, and why each of the others is none, by its name.
    """
    ways: dict[str, Way] = {
        SEED: by_the_seed,
        PYTORCH_GRAD_CAM: by_pytorch_grad_cam,
        TORCHCAM: by_torchcam,
        CAPTUM: by_captum,
    }
    found, missing = [], {}
    for name, way in ways.items():
        opened = _open(way, classifier, x, stack)
        if isinstance(opened, str):
            missing[name] = opened
        else:
            found.append(Contestant(name, opened, device=str(device), ours=False))
    return found, missing


def _open(way: Way, classifier: Classifier, x: Tensor, stack: ExitStack) -> Explain | str:
    """Return a peer that has explained a frame, or why it cannot."""
    try:
        explain = way(trainable_copy(classifier.module), classifier.layer, stack)
        explain(x)
    except ImportError as error:
        return f"not installed ({first_line(error)})"
    except LiveCamError as error:
        return str(error)
    except Exception as error:  # others' code may fail on a network in any way
        return f"cannot explain this network ({first_line(error)})"
    return explain


def trainable_copy(module: nn.Module) -> nn.Module:
    """Return a network as if freshly loaded: its parameters require gradients.

    They are objects of their own, with gradients of their own, on the same memory.

    Args:
        module: The network; it must have no hooks yet, which would be copied, too.
    """
    shared: dict[int, object] = {
        id(parameter): nn.Parameter(parameter.detach()) for parameter in module.parameters()
    }
    shared |= {id(buffer): buffer for buffer in module.buffers()}
    return copy.deepcopy(module, shared).eval()


def by_the_seed(module: nn.Module, layer: str, _stack: ExitStack) -> Explain:
    """This project's first version: a full backward pass, and the features computed twice.

    Raises:
        UsageError: The network is no sequence of features and a classifier like VGG, which is
            all that it knew.
    """
    name, _, number = layer.partition(".")
    if name != "features" or not number.isdecimal() or not hasattr(module, "avgpool"):
        raise UsageError(f"the seed explained VGG alone, not {type(module).__name__}.")
    features = get_layer(module, "features")
    classifier, avgpool = get_layer(module, "classifier"), get_layer(module, "avgpool")
    assert isinstance(features, nn.Sequential)
    below, above = features[: int(number) + 1], features[int(number) + 1 :]

    def explain(x: Tensor) -> Answer:
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
        return Answer(_to_numpy(cam), index)

    return explain


def by_pytorch_grad_cam(module: nn.Module, layer: str, stack: ExitStack) -> Explain:
    """pytorch-grad-cam: https://github.com/jacobgil/pytorch-grad-cam."""
    library = importlib.import_module("pytorch_grad_cam")
    peer = stack.enter_context(
        library.GradCAM(model=module, target_layers=[get_layer(module, layer)])
    )
    # What it returns is normalised and scaled to the input's size. The map before that is kept on
    # its way, so that what is timed is all that its README calls.
    raw: list[NDArray[np.float32]] = []
    original = peer.get_cam_image

    def get_cam_image(*arguments: object, **options: object) -> NDArray[np.float32]:
        image: NDArray[np.float32] = original(*arguments, **options)
        raw[:] = [image[0].clip(min=0)]
        return image

    peer.get_cam_image = get_cam_image

    def explain(x: Tensor) -> Answer:
        peer(input_tensor=x, targets=None)
        return Answer(raw[0], int(peer.outputs.argmax(dim=1)))

    return explain


def by_torchcam(module: nn.Module, layer: str, stack: ExitStack) -> Explain:
    """TorchCAM: https://github.com/frgfm/torch-cam."""
    library = importlib.import_module("torchcam.methods")
    peer = stack.enter_context(library.GradCAM(module, layer))

    def explain(x: Tensor) -> Answer:
        scores = module(x)
        index = int(scores.argmax(dim=1))
        # It normalises unless told otherwise, at no cost that could be measured.
        (cam,) = peer(index, scores, normalized=False)
        return Answer(_to_numpy(cam), index)

    return explain


def by_captum(module: nn.Module, layer: str, _stack: ExitStack) -> Explain:
    """Captum: https://captum.ai."""
    library = importlib.import_module("captum.attr")
    top: list[Tensor] = []

    def top_score(x: Tensor) -> Tensor:
        # It wants to be told the class before it runs the network. That it takes any function of
        # the input saves it a second forward pass.
        scores: Tensor = module(x)
        best = scores.max(dim=1)
        top[:] = [best.indices]
        return best.values

    peer = library.LayerGradCam(top_score, get_layer(module, layer))

    def explain(x: Tensor) -> Answer:
        cam = peer.attribute(x, relu_attributions=True)
        return Answer(_to_numpy(cam[:, 0]), int(top[0]))

    return explain


def _to_numpy(cam: Tensor) -> NDArray[np.float32]:
    one: NDArray[np.float32] = cam[0].detach().cpu().numpy()
    return one
