"""What a graph holds: MACs, weights, zeros, which weights count as prunable, and what can gain from zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Graph, Op

__all__ = [
    "MIN_INPUT_CHANNELS",
    "Counts",
    "LayerKind",
    "LayerStats",
    "ModelStats",
    "WeightedLayer",
    "analyse",
    "count",
    "not_prunable",
]

LayerKind: TypeAlias = Literal["conv", "depthwise", "dense"]

MIN_INPUT_CHANNELS = 4
"""A convolution with fewer input channels is not prunable: it reads the image, and holds few weights."""

_SMALL_FINAL_SHARE = 0.05
"""A last dense layer with less than this share of the prunable weights is not prunable: it is the classifier."""

_WEIGHT_AXES = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 2}
_LAYER_KINDS: dict[str, LayerKind] = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}


@dataclass(frozen=True)
class WeightedLayer:
    """What of a layer decides whether its weights count as prunable. `final`: whether it is the network's last."""

    kind: LayerKind
    weights: int
    input_channels: int
    final: bool = False


@dataclass(frozen=True)
class Counts:
    """MACs of an op, its weights without biases, its biases, and zeros among the weights."""

    macs: int = 0
    weights: int = 0
    biases: int = 0
    zeros: int = 0


@dataclass(frozen=True)
class LayerStats:
    """One op. `sparsity` is None for ops without weights; `note` says why it can or cannot gain from zeros."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    weights: int
    parameters: int  # weights and biases
    zeros: int
    prunable: bool
    note: str

    @property
    def sparsity(self) -> float | None:
        """Zeros / weights."""
        return self.zeros / self.weights if self.weights else None


@dataclass(frozen=True)
class ModelStats:
    """Totals. `sparsity` = zeros / prunable weights over the prunable layers."""

    layers: tuple[LayerStats, ...]
    macs: int
    parameters: int
    prunable: int
    sparsity: float


def analyse(graph: Graph) -> ModelStats:
    """Count every op of an int8 graph."""
    counts = [count(graph, op) for op in graph.ops]
    layers = []
    for op, counted, reason in zip(graph.ops, counts, _reasons(graph), strict=True):
        layers.append(
            LayerStats(
                name=op.name,
                kind=op.kind,
                input_shape=graph.tensors[graph.first_activation(op)].shape,
                output_shape=graph.output(op).shape,
                macs=counted.macs,
                weights=counted.weights,
                parameters=counted.weights + counted.biases,
                zeros=counted.zeros,
                prunable=reason is None,
                note=reason or "prunable",
            )
        )
    total = sum(layer.weights for layer in layers if layer.prunable)
    zeros = sum(layer.zeros for layer in layers if layer.prunable)
    return ModelStats(
        layers=tuple(layers),
        macs=sum(layer.macs for layer in layers),
        parameters=sum(layer.parameters for layer in layers),
        prunable=total,
        sparsity=zeros / total if total else 0.0,
    )


def count(graph: Graph, op: Op) -> Counts:
    """What an op computes and holds; all 0 for kinds without weights. ModelError where its weights lack axes."""
    if op.kind not in _WEIGHT_AXES:
        return Counts()
    weights = graph.input(op, 1)
    axes = _WEIGHT_AXES[op.kind]
    if len(weights.shape) != axes:
        raise ModelError(f"layer {op.name!r} ({op.kind}): weights {weights.shape}, expected {axes} axes; damaged file")
    of_an_output = weights.shape[:-1] if op.kind == "DEPTHWISE_CONV_2D" else weights.shape[1:]
    macs = graph.output(op).elements * math.prod(of_an_output)
    if weights.data is None:
        return Counts(macs)
    bias = graph.optional_input(op, 2)
    zero_point = weights.quantization.zero_point if weights.quantization is not None else 0
    zeros = int(np.count_nonzero(weights.data == zero_point))
    return Counts(macs, weights.elements, bias.elements if bias is not None else 0, zeros)


def not_prunable(layers: Sequence[WeightedLayer]) -> list[str]:
    """For each layer with weights why they do not count as prunable; "" where they do.

    What counts: convolutions with at least 4 input channels and dense layers, except a last one with
    less than 5 % of all these weights.
    """
    reasons = [_reason(layer) for layer in layers]
    total = sum(layer.weights for layer, reason in zip(layers, reasons, strict=True) if not reason)
    for index, layer in enumerate(layers):
        if layer.final and layer.kind == "dense" and layer.weights < _SMALL_FINAL_SHARE * total:
            share = f"{layer.weights / total:.1%} of the prunable weights, under {_SMALL_FINAL_SHARE:.0%}"
            reasons[index] = f"final dense layer with {share}"
    return reasons


def _reason(layer: WeightedLayer) -> str:
    if layer.kind == "depthwise":
        return "depthwise kernels are not prunable"
    if layer.kind == "conv" and layer.input_channels < MIN_INPUT_CHANNELS:
        return f"convolution with {layer.input_channels} input channels, fewer than {MIN_INPUT_CHANNELS}"
    return ""


def _reasons(graph: Graph) -> list[str | None]:
    """Why an op has no prunable weights; None where it has."""
    reasons: list[str | None] = ["no weights"] * len(graph.ops)
    layers: dict[int, WeightedLayer] = {}
    for index, op in enumerate(graph.ops):
        if op.kind not in _WEIGHT_AXES:
            continue
        weights = graph.input(op, 1)
        if weights.data is None:
            reasons[index] = "its weights are not constant"
        else:
            layers[index] = WeightedLayer(_LAYER_KINDS[op.kind], weights.elements, weights.shape[-1])
    if layers:
        last = max(layers)
        layers[last] = replace(layers[last], final=True)
    for index, reason in zip(layers, not_prunable(list(layers.values())), strict=True):
        reasons[index] = reason or None
    return reasons
