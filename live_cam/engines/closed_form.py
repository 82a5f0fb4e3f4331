"""The pooled gradient of a piecewise linear head in closed form, without a tape.

Grad-CAM uses only the mean of the gradient over each feature map (Selvaraju et al. 2017,
equation 1). If only pooling lies between the target layer and a stack of linear layers (VGG,
AlexNet, ResNet), that mean is cheap: pooling moves a gradient without changing its sum, so the sum
over a map's positions is the same before and after it, and the first linear layer's weights can be
summed over each map's positions in advance. For VGG-19, a 4096×512 matrix replaces one of
4096×25088.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, fx

    from live_cam.network.axes import Axes
    from live_cam.network.cut import Cut

# Each distributes an output's gradient over its inputs with weights that sum to 1.
_SUM_PRESERVING = (nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)
_IDENTITY_IN_EVAL = (nn.Dropout, nn.Identity)


class LinearStack(nn.Module):
    """Pooling, then linear layers with ReLUs between them."""

    def __init__(self, pooling: Sequence[nn.Module], linear: Sequence[nn.Module]) -> None:
        """Use these layers, without copying them.

        Args:
            pooling: Layers that preserve the sum of a gradient over each feature map.
            linear: The linear layers.
        """
        super().__init__()
        self.pooling = nn.Sequential(*pooling)
        self.linear = nn.ModuleList(linear)

    def forward(self, activation: Tensor) -> tuple[Tensor, ...]:
        """Return the logits and the output of each ReLU.

        Args:
            activation: N×K×h×w, of the target layer.

        Returns:
            N×C logits, and an N×F tensor for each ReLU in order.
        """
        features = self.pooling(activation).flatten(1)
        hidden = []
        for layer in self.linear[:-1]:
            features = layer(features).relu()
            hidden.append(features)
        return self.linear[-1](features), *hidden


class PooledGradient(nn.Module):
    """The sum of a logit's gradient over each feature map: α of equation 1 before the mean."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        """Use these weights, without copying them.

        Args:
            weights: The first linear layer's, summed over each map's positions, F×K; then those of
                the others.
        """
        super().__init__()
        for index, weight in enumerate(weights):
            self.register_buffer(f"weight{index}", weight.detach(), persistent=False)

    def forward(self, classes: Tensor, *hidden: Tensor) -> Tensor:
        """Return the gradient of a logit with respect to the activations, summed over each map.

        Args:
            classes: N int64: the class of the logit.
            hidden: The outputs of the ReLUs in order.

        Returns:
            N×K float32.
        """
        weights = list(self.buffers())
        gradient = weights.pop()[classes]
        for weight, active in zip(reversed(weights), reversed(hidden), strict=True):
            gradient = (gradient * (active > 0)) @ weight
        return gradient


class ClosedForm:
    """A head whose pooled gradient has a closed form.

    Attributes:
        pooling: The layers before the linear ones.
        linear: The linear layers, with a ReLU between each two.
        logits: All of these layers as one module.
        pooled_gradient: The gradient as another module.
    """

    def __init__(
        self, pooling: Sequence[nn.Module], linear: Sequence[nn.Linear], maps: int
    ) -> None:
        """Build both modules from the layers of a head (see `closed_form`).

        Args:
            pooling: Layers that preserve the sum of a gradient over each feature map.
            linear: The linear layers, with a ReLU between each two.
            maps: The number K of feature maps.
        """
        self.pooling = pooling
        self.linear = linear
        self.logits = LinearStack(pooling, linear)
        first = linear[0].weight.detach()
        summed = first.view(len(first), maps, -1).sum(dim=2)
        self.pooled_gradient = PooledGradient([summed, *(layer.weight for layer in linear[1:])])


def find_form(cut: Cut, axes: Axes, x: Tensor) -> tuple[ClosedForm | None, Tensor]:
    """Return the closed form of a cut network's head, or None, and example activations.

    Args:
        cut: The network, cut at its target layer.
        axes: The meaning of the activations' axes.
        x: An input, N×3×H×W.
    """
    with torch.no_grad():
        activation, *others = cut.trunk(x)
    fitting = axes.roles == "NCHW" and not others
    return (closed_form(cut.head, activation) if fitting else None), activation


def closed_form(head: fx.GraphModule, activation: Tensor) -> ClosedForm | None:
    """Return the closed form of a head, or None if it has none.

    Args:
        head: The upper half of a `Cut`, in `eval()`.
        activation: Example activations of the target layer, N×K×h×w.
    """
    layers = _chain(head)
    if layers is None or activation.ndim != 4:
        return None
    pooling: list[nn.Module] = []
    linear: list[nn.Linear] = []
    flat = after_relu = False
    for layer in layers:
        if isinstance(layer, _IDENTITY_IN_EVAL):
            continue
        if isinstance(layer, nn.Flatten) and not flat and layer.start_dim == 1:
            flat = True
        elif isinstance(layer, _SUM_PRESERVING) and not flat:
            pooling.append(layer)
        elif type(layer) is nn.Linear and flat and (not linear or after_relu):
            linear.append(layer)
            after_relu = False
        elif isinstance(layer, nn.ReLU) and linear and not after_relu:
            after_relu = True
        else:
            return None
    maps = activation.shape[1]
    if not linear or after_relu or linear[0].in_features % maps:
        return None
    return ClosedForm(pooling, linear, maps)


def _chain(head: fx.GraphModule) -> list[nn.Module] | None:
    """Return the head's layers in order, or None if one has other inputs than its predecessor."""
    layers: list[nn.Module] = []
    previous = None
    for node in head.graph.nodes:
        if previous is not None and node.all_input_nodes != [previous]:
            return None
        previous = node
        if node.op == "call_module":
            layers.append(head.get_submodule(str(node.target)))
        elif node.target in (torch.flatten, "flatten"):
            layers.append(nn.Flatten(*node.args[1:], **node.kwargs))
        elif node.op not in ("placeholder", "output"):
            return None
    return layers
