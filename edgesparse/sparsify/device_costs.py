"""What a device needs for each layer, as a curve over the zeros that the layer has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgesparse.boards import Core
from edgesparse.graph import Graph, Int8Array
from edgesparse.lowering import lower
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import Curve, LayerPlan, SparsityPlan

__all__ = ["device_costs"]

_SPARSITIES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)


def device_costs(
    graph: Graph, ops: Mapping[str, int], plan: SparsityPlan, core: Core, *, optimize: str
) -> dict[str, Curve]:
    """Per layer that the plan prunes: (zeros, estimated instructions of its op), or bytes for optimize="flash".

    graph: the dense int8 network; ops: layer path -> index of the op with its weights. At each sparsity every layer
    loses its weights of least magnitude in its pattern, and each takes the weight format that `lower` chooses.
    """
    layers = {layer.name: layer for layer in plan.layers if layer.pattern is not None and layer.name in ops}
    curves: dict[str, list[tuple[int, float]]] = {name: [] for name in layers}
    for sparsity in _SPARSITIES:
        removed = {ops[name]: _pruned(graph, ops[name], layer, sparsity) for name, layer in layers.items()}
        packed = lower(_with_weights(graph, removed), core, optimize=optimize)
        for name, layer in layers.items():
            op = packed.layers[ops[name]]
            cost = op.weight_bytes if optimize == "flash" else op.estimated_instructions
            curves[name].append((math.floor(sparsity * layer.weights), float(cost)))
    return dict(curves)


def _pruned(graph: Graph, op: int, layer: LayerPlan, sparsity: float) -> Int8Array:
    weights = graph.input(graph.ops[op], 1).data
    assert weights is not None
    values = weights.reshape(layer.shape)
    keep = pattern_named(layer.pattern or "").mask(values.astype(np.float32), sparsity)
    pruned: Int8Array = np.where(keep, values, np.int8(0)).reshape(weights.shape)
    return pruned


def _with_weights(graph: Graph, weights: Mapping[int, Int8Array]) -> Graph:
    """The graph with other weights, by index of the op."""
    tensors = list(graph.tensors)
    for index, values in weights.items():
        tensor = graph.ops[index].inputs[1]
        tensors[tensor] = replace(tensors[tensor], data=values)
    return replace(graph, tensors=tuple(tensors))
