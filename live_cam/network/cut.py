"""A network cut in two at the target layer: the trunk up to it, and the head after it."""

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
"""Held while torch.fx traces a network. Tracing replaces `nn.Module.__call__` in all threads, so a
thread that runs a network at the same time must hold this lock, too."""


class Cut(NamedTuple):
    """The two halves: `head(*trunk(x))` equals the output of the whole network for `x`."""

    trunk: fx.GraphModule
    """From N×3×H×W to a tuple: the target layer's activations and any other tensor from below that
    the head needs (a residual connection around the layer). A copy of the network's part."""
    head: fx.GraphModule
    """From that tuple's tensors to N×C logits. It shares its parameters with the network."""


def cut(module: nn.Module, layer: str) -> Cut:
    """Cut a network in two at a layer.

    Args:
        module: A network in `eval()`, from N×3×H×W to N×C logits.
        layer: Dotted name of the target layer.

    Raises:
        EngineError: torch.fx cannot trace the network (its control flow depends on values), or the
            layer runs more than once or never.
        UsageError: The module has no such layer.
    """
    get_layer(module, layer)
    try:
        with TRACING:
            graph = _Tracer(layer).trace(module, _defaults(module))
    except Exception as error:  # tracing runs the network's code, which may raise anything
        raise EngineError(
            f"torch.fx cannot trace {type(module).__name__} ({first_line(error)}); "
            "use `engine=hook`, which explains any network."
        ) from error
    targets = [node for node in graph.nodes if node.op == "call_module" and node.target == layer]
    if len(targets) != 1:
        raise EngineError(
            f"the layer {layer!r} runs {len(targets)} times, but a network can be cut only at a "
            "layer that runs once; use `engine=hook`."
        )
    above = _depending_on(targets[0], graph)
    others = [
        node
        for node in graph.nodes
        if node not in above
        and node.op != "get_attr"
        and any(user in above and user is not targets[0] for user in node.users)
    ]
    crossing = [targets[0], *others]
    trunk = _assembled(module, _below(graph, above, crossing))
    return Cut(_copy_without_hooks(trunk), _assembled(module, _above(graph, above, crossing)))


def _defaults(module: nn.Module) -> dict[str, object]:
    """Return the default values of the network's arguments other than the image."""
    parameters = inspect.signature(module.forward).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.default is not inspect.Parameter.empty
    }


class _Tracer(fx.Tracer):
    """Traces into every module except the target layer and modules without submodules.

    A single layer's computation (timm's padding, for example) may depend on its input's size in
    ways that cannot be traced, and never needs to be cut.
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


def _below(graph: fx.Graph, above: set[fx.Node], crossing: list[fx.Node]) -> fx.Graph:
    """Return the graph from the input to the nodes that cross the cut."""
    below = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node not in above or node is crossing[0]:
            copies[node] = below.node_copy(node, copies.__getitem__)
    below.output(tuple(copies[node] for node in crossing))
    return below


def _above(graph: fx.Graph, above: set[fx.Node], crossing: list[fx.Node]) -> fx.Graph:
    """Return the graph from the nodes that cross the cut to the output."""
    upper = fx.Graph()
    copies = {node: upper.placeholder(node.name) for node in crossing}
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
    """Copy a half without the hooks that others registered on its layers."""
    memo: dict[int, object] = {}
    for layer in half.modules():
        for hooks in (layer._forward_hooks, layer._forward_pre_hooks):
            memo[id(hooks)] = OrderedDict()
    return copy.deepcopy(half, memo)
