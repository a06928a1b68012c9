"""Whether the nodes of Functional models can be made in some order: Keras tries for ever where they cannot.

A node is a call of a layer; `inbound_nodes` of a layer in a config lists its calls, each with references [layer, node,
output, ...] to the nodes that it reads. A node whose references were made can be made, after those before it of its
layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from edgesparse.errors import ModelError, shown
from edgesparse.keras_model.known_classes import CONTAINERS
from edgesparse.keras_model.scan import Config

__all__ = ["check_nodes"]

_Node = tuple[str, int]


def check_nodes(source: object, config: Config) -> None:
    """ModelError where a layer reads itself, or a node that is not there; config: in tf_keras' form.

    What is damaged in other ways passes: Keras says so.
    """
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list):
        return
    items = [item for item in layers if isinstance(item, dict)]
    if config["class_name"] != "Sequential":
        _check_model(source, items)
    for item in items:
        for below in (item, (item.get("config") or {}).get("layer") if isinstance(item.get("config"), dict) else None):
            if isinstance(below, dict) and below.get("class_name") in CONTAINERS:
                check_nodes(source, below)


def _check_model(source: object, layers: list[Config]) -> None:
    calls: dict[str, list[list[_Node]]] = defaultdict(list)
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        calls[str(layer.get("name"))] += [list(_references(node)) for node in nodes] if isinstance(nodes, list) else []
    first = {str(layer.get("name")): _first_node(layer) for layer in layers if layer.get("class_name") != "InputLayer"}
    made = dict.fromkeys(calls, 0)
    waiting: dict[str, list[str]] = defaultdict(list)
    ready = list(calls)
    while ready:
        name = ready.pop()
        while made[name] < len(calls[name]):
            missing = [other for other, node in calls[name][made[name]] if not _is_there(other, node, made, first)]
            if missing:
                waiting[missing[0]].append(name)
                break
            made[name] += 1
            ready += waiting.pop(name, [])
    stuck = next((name for name in calls if made[name] < len(calls[name])), None)
    if stuck is not None:
        raise ModelError(
            f"{source}: layer {shown(stuck)} reads itself, or an output that no layer has; the model's configuration"
            " is damaged: save it again"
        )


def _first_node(layer: Config) -> int:
    """The number of a layer's first node in this model: a model within has one of its own before."""
    return 1 if layer.get("class_name") in CONTAINERS else 0


def _is_there(name: str, node: int, made: dict[str, int], first: dict[str, int]) -> bool:
    """True too for inputs, and for what is none of these layers, which is another fault."""
    if name not in first:
        return True
    count = made[name]
    return node < count + first[name] if count else False


def _references(node: Any) -> Iterator[_Node]:
    """The references in a node, in its keyword arguments too."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list | tuple):
        if isinstance(node, list) and len(node) in (3, 4) and isinstance(node[0], str):
            if isinstance(node[1], int):
                yield node[0], node[1]
            yield from _references(node[3:])
        else:
            for value in node:
                yield from _references(value)
