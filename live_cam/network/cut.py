"""A network cut in two at the target layer: the trunk up to it, and the head behind it."""

from __future__ import annotations

import copy
import inspect
import threading
from collections import OrderedDict
from typing import Final, NamedTuple

from torch import fx, nn

from live_cam.errors import EngineError, first_line
from live_cam.network.target_layer import get_layer

TRACING: Final = threading.RLock()
"""Held while torch.fx follows a network: it then replaces `nn.Module.__call__` in all threads, so
that whoever runs a network in another thread meanwhile must hold this, too."""


class Cut(NamedTuple):
    """The two halves: `head(*trunk(x))` is what the whole network says of `x`."""

    trunk: fx.GraphModule
    """From N×3×H×W to a tuple: the target layer's activations, and whatever else the head needs
    of what lies below the layer (a residual connection around it). A copy of the network's."""
    head: fx.GraphModule
    """From that tuple's tensors to N×C logits. It shares its parameters with the network."""


def cut(module: nn.Module, layer: str) -> Cut:
    """Cut a network in two at a layer.

    Args:
        module: A network in `eval()`, from N×3×H×W to N×C logits.
        layer: Dotted name of the target layer.

    Raises:
        EngineError: torch.fx cannot follow the network (its way depends on the values), or the
            layer is passed more than once, or never.
        UsageError: The module has no such layer.
    """
    get_layer(module, layer)
    try:
        with TRACING:
            graph = _Tracer(layer).trace(module, _defaults(module))
    except Exception as error:  # tracing runs the network's own code, which may fail in any way
        raise EngineError(
            f"torch.fx cannot follow {type(module).__name__} ({first_line(error)}); "
            "use --engine hook, which explains any network."
        ) from error
    targets = [node for node in graph.nodes if node.op == "call_module" and node.target == layer]
    if len(targets) != 1:
        raise EngineError(
            f"the layer {layer!r} is passed {len(targets)} times, and a network can be cut only "
            "where it is passed once; use --engine hook."
        )
    above = _depending_on(targets[0], graph)
    crossing = [
        node
        for node in graph.nodes
        if node not in above
        and node.op != "get_attr"
        and any(user in above and user is not targets[0] for user in node.users)
    ]
    handed_up = [targets[0], *crossing]
    trunk = _assembled(module, _below(graph, above, handed_up))
    return Cut(_copy_without_hooks(trunk), _assembled(module, _above(graph, above, handed_up)))


def _defaults(module: nn.Module) -> dict[str, object]:
    """Return what the network takes beside the image, as it is when nobody gives it."""
    parameters = inspect.signature(module.forward).parameters.values()
    return {
        each.name: each.default
        for each in parameters
        if each.default is not inspect.Parameter.empty
    }


class _Tracer(fx.Tracer):
    """Goes into every module but the target layer and those that have no modules inside.

    The latter because what a single layer computes (timm's padding, for one) may depend on its
    input's size in ways that cannot be traced, and never needs to be cut.
    """

    def __init__(self, layer: str) -> None:
        super().__init__()
        self._layer = layer

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return (
            module_qualified_name == self._layer
            or next(m.children(), None) is None
            or super().is_leaf_module(m, module_qualified_name)
        )


def _depending_on(target: fx.Node, graph: fx.Graph) -> set[fx.Node]:
    above = {target}
    for node in graph.nodes:
        if any(source in above for source in node.all_input_nodes):
            above.add(node)
    return above


def _below(graph: fx.Graph, above: set[fx.Node], handed_up: list[fx.Node]) -> fx.Graph:
    """Return the graph from the input to the nodes that are handed up."""
    below = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node not in above or node is handed_up[0]:
            copies[node] = below.node_copy(node, copies.__getitem__)
    below.output(tuple(copies[node] for node in handed_up))
    return below


def _above(graph: fx.Graph, above: set[fx.Node], handed_up: list[fx.Node]) -> fx.Graph:
    """Return the graph from the nodes that are handed up to the output."""
    upper = fx.Graph()
    copies = {node: upper.placeholder(node.name) for node in handed_up}
    for node in graph.nodes:
        if node in copies:
            continue
        if node in above or node.op == "get_attr":
            copies[node] = upper.node_copy(node, copies.__getitem__)
    return upper


def _assembled(module: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    half = fx.GraphModule(module, graph)
    half.graph.eliminate_dead_code()
    half.delete_all_unused_submodules()
    half.recompile()
    return half


def _copy_without_hooks(half: fx.GraphModule) -> fx.GraphModule:
    """Copy a half, but not the hooks that others have hung on its layers."""
    memo: dict[int, object] = {}
    for layer in half.modules():
        for hooks in (layer._forward_hooks, layer._forward_pre_hooks):
            memo[id(hooks)] = OrderedDict()
    return copy.deepcopy(half, memo)
