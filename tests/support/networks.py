"""Networks with a known answer, which make the whole program testable without a download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torchvision import models

COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}
"""BGR."""
COLOUR_CLASSES = {"red": 949, "green": 948, "blue": 17}
COLOUR_LABELS = {"red": "strawberry", "green": "Granny Smith", "blue": "jay"}

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_SILENT_BELOW = 0.1
_CERTAINTY = 10.0
_SHARPNESS = 1000.0


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter a seeded value that keeps activations in range, and freeze it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, generator=generator)
            else:
                parameter.uniform_(0.0, 0.1, generator=generator)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.fill_(1.0)
    return module.eval().requires_grad_(False)


def tiny_network(classes: int = 7, seed: int = 0) -> nn.Sequential:
    """A convolution, an in-place ReLU, pooling and two linear layers: explained in no time."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 16),
        nn.ReLU(inplace=True),
        nn.Linear(16, classes),
    )
    randomised(network, seed)
    return network


def colour_vgg19() -> nn.Module:
    """A true VGG-19 that names the colour it sees, with a probability near 1.

    The first convolution's centre taps undo the normalisation and compute how much redder,
    greener or bluer than grey a pixel is; all the others carry these three channels through; the
    classifier sums each over its 49 positions.
    """
    module = models.vgg19(weights=None, init_weights=False)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        first, *others = [layer for layer in module.features if isinstance(layer, nn.Conv2d)]
        assert first.bias is not None
        for channel in range(3):
            shares = [1.0 if colour == channel else -0.5 for colour in range(3)]
            for colour, share in enumerate(shares):
                first.weight[channel, colour, 1, 1] = share * _STD[colour]
            offset = sum(share * mean for share, mean in zip(shares, _MEAN, strict=True))
            first.bias[channel] = offset - _SILENT_BELOW
            for layer in others:
                layer.weight[channel, channel, 1, 1] = 1.0
            module.classifier[0].weight[channel, channel * 49 : (channel + 1) * 49] = 1.0
            module.classifier[3].weight[channel, channel] = 1.0
        for channel, index in enumerate(COLOUR_CLASSES.values()):
            module.classifier[6].weight[index, channel] = _CERTAINTY
    module.eval().requires_grad_(False)
    assert isinstance(module, nn.Module)
    return module


def shade_network(shades: Sequence[tuple[int, int, int]]) -> nn.Module:
    """Names the shade that an image is nearest to in the mean, of pixels from 0 to 1.

    The nearest prototype by a linear layer: 2 p·x - p·p is largest where |x - p| is least.

    Args:
        shades: BGR, one a class.
    """
    convolution, linear = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, len(shades))
    prototypes = torch.tensor(shades).flip(1) / 255
    with torch.no_grad():
        for parameter in (*convolution.parameters(), *linear.parameters()):
            parameter.zero_()
        for channel in range(3):
            convolution.weight[channel, channel, 1, 1] = 1.0
        linear.weight.copy_(2 * _SHARPNESS * prototypes)
        linear.bias.copy_(-_SHARPNESS * prototypes.square().sum(dim=1))
    module = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    return module.eval().requires_grad_(False)


def channels_first(features: torch.Tensor) -> torch.Tensor:
    """Swin's features in the layout that pytorch-grad-cam's own examples use."""
    return features.transpose(2, 3).transpose(1, 2)


def save_weights(module: nn.Module, path: Path) -> Path:
    """Save a state dict in float16, which holds these networks' values and halves the file."""
    torch.save({key: tensor.half() for key, tensor in module.state_dict().items()}, path)
    return path
