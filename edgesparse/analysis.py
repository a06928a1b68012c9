"""What a graph holds: MACs, weights, zeros, which weights count as prunable, and what can gain from zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Graph, Op

__all__ = ["MIN_INPUT_CHANNELS", "SMALL_FINAL_SHARE", "LayerStats", "ModelStats", "analyse", "is_small_final_dense"]

MIN_INPUT_CHANNELS = 4
"""A CONV_2D with fewer input channels is not prunable: it reads the image, and holds few weights."""

SMALL_FINAL_SHARE = 0.05
"""A last FULLY_CONNECTED with less than this share of the prunable weights is not prunable: it is the classifier."""


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
    candidates = [_candidate(graph, op) for op in graph.ops]
    final = _final_dense(graph, candidates)
    layers = []
    for index, op in enumerate(graph.ops):
        weights, parameters, zeros = _weights(graph, op)
        prunable = candidates[index] is None and index != final
        note = _note(op, candidates[index], index == final)
        layers.append(
            LayerStats(
                name=op.name,
                kind=op.kind,
                input_shape=graph.tensors[graph.first_activation(op)].shape,
                output_shape=graph.output(op).shape,
                macs=_macs(graph, op),
                weights=weights,
                parameters=parameters,
                zeros=zeros,
                prunable=prunable,
                note=note,
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


def is_small_final_dense(weights: Sequence[int], *, final: int) -> bool:
    """Whether the dense layer `final` holds under 5 % of `weights`, all the weights that could be pruned."""
    return weights[final] < SMALL_FINAL_SHARE * sum(weights)


def _candidate(graph: Graph, op: Op) -> str | None:
    """Why an op has no prunable weights; None where it has."""
    if op.kind not in ("CONV_2D", "FULLY_CONNECTED"):
        return "no weights" if op.kind != "DEPTHWISE_CONV_2D" else "depthwise: nine weights per channel, kept dense"
    weights = graph.input(op, 1)
    if weights.data is None:
        return "its weights are not constant"
    if op.kind == "CONV_2D" and weights.shape[3] < MIN_INPUT_CHANNELS:
        return (
            f"{weights.shape[3]} input channels, under {MIN_INPUT_CHANNELS}: it reads the input and holds few weights"
        )
    return None


def _final_dense(graph: Graph, candidates: Sequence[str | None]) -> int | None:
    """Index of a last FULLY_CONNECTED that is too small to count."""
    counting = [index for index, reason in enumerate(candidates) if reason is None]
    if len(counting) < 2 or graph.ops[counting[-1]].kind != "FULLY_CONNECTED":
        return None
    weights = [graph.input(graph.ops[index], 1).elements for index in counting]
    return counting[-1] if is_small_final_dense(weights, final=len(weights) - 1) else None


def _weights(graph: Graph, op: Op) -> tuple[int, int, int]:
    """Weights, weights and biases, and zeros among the weights."""
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0, 0, 0
    weights = graph.input(op, 1)
    if weights.data is None:
        return 0, 0, 0
    bias = graph.optional_input(op, 2)
    zero_point = weights.quantization.zero_point if weights.quantization is not None else 0
    zeros = int(np.count_nonzero(weights.data == zero_point))
    return weights.elements, weights.elements + (bias.elements if bias is not None else 0), zeros


def _macs(graph: Graph, op: Op) -> int:
    output = graph.output(op)
    if op.kind == "CONV_2D":
        _, kernel_h, kernel_w, channels = graph.input(op, 1).shape
        return output.elements * kernel_h * kernel_w * channels
    if op.kind == "DEPTHWISE_CONV_2D":
        _, kernel_h, kernel_w, _ = graph.input(op, 1).shape
        return output.elements * kernel_h * kernel_w
    if op.kind == "FULLY_CONNECTED":
        return output.elements * graph.input(op, 1).shape[-1]
    return 0


def _note(op: Op, reason: str | None, final: bool) -> str:
    if reason is not None:
        return reason
    if final:
        return f"the last layer, with under {SMALL_FINAL_SHARE:.0%} of the weights: kept dense"
    return "prunable"
