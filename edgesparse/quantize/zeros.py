"""Which op of an int8 model has the weights of which layer; and the proof that pruned weights stayed zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.graph import Graph
from edgesparse.keras_model.kernels import Kernel, iter_kernels
from edgesparse.training.masks import Masks

__all__ = ["check_zeros", "match_kernels"]

_WEIGHT_OPS = ("CONV_2D", "FULLY_CONNECTED")
_MIN_SIMILARITY = 0.6
_MIN_SIMILARITY_BY_COLUMNS = 0.9
"""More, since the scales of the columns are fitted to the weights."""


def check_zeros(graph: Graph, model: Any, masks: Masks) -> dict[str, int]:
    """Prove that every pruned weight is exactly zero in the int8 graph; return {layer path: op index}.

    model, masks: as sparsify gave them. A kernel is found by its values (fusing changes names): the op of the same
    shape whose weights point in the same direction, row by row, whatever scale batch normalization gave to a row, or
    one in front to a column.
    ModelError naming the layer when a pruned weight is not at its zero point or when no op matches.
    """
    kernels = {kernel.name: kernel for kernel in iter_kernels(model) if kernel.name in masks}
    mapping = match_kernels(graph, kernels.values())
    for name, kernel in kernels.items():
        if name not in mapping:
            raise ModelError(
                f"layer {name!r}: no op of the int8 model holds its weights {kernel.shape}, so that its zeros"
                " cannot be checked; please report this model"
            )
        op = graph.ops[mapping[name]]
        tensor = graph.input(op, 1)
        removed = ~_rows(kernel.to_tflite(masks[name]))
        weights = _rows(np.asarray(tensor.data))
        zero_points = np.broadcast_to(tensor.quant.zero_points.reshape(-1, 1), (len(weights), 1))
        wrong = int(np.count_nonzero((weights != zero_points) & removed))
        if wrong:
            raise ModelError(
                f"layer {name!r} (op {op.name!r}): {wrong} of {int(removed.sum())} pruned weights are not zero"
                " in the int8 model; expected 0;"
                " prune another layer or report this model"
            )
    return mapping


def match_kernels(graph: Graph, kernels: Iterable[Kernel]) -> dict[str, int]:
    """{layer path: index of the op that has its weights}, by their values (see check_zeros); those that are found."""
    return _match({kernel.name: _rows(kernel.read()) for kernel in kernels}, _op_rows(graph))


def _rows(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[out, ..., in] as [out, rest]."""
    return array.reshape(len(array), -1)


def _op_rows(graph: Graph) -> dict[int, npt.NDArray[Any]]:
    """int8 weights [out, rest] per op index."""
    result = {}
    for index, op in enumerate(graph.ops):
        if op.kind in _WEIGHT_OPS:
            data = graph.input(op, 1).data
            if data is not None:
                result[index] = _rows(data)
    return result


def _match(kernels: Mapping[str, npt.NDArray[Any]], ops: Mapping[int, npt.NDArray[Any]]) -> dict[str, int]:
    """Pair kernels with ops of the same shape, the most similar pairs first, each used once.

    What is left is compared once more with a scale per column: that of a normalization in front, which the converter
    folds into the weights of a dense layer.
    """
    mapping: dict[str, int] = {}
    for similarity, least in ((_similarity, _MIN_SIMILARITY), (_similarity_by_columns, _MIN_SIMILARITY_BY_COLUMNS)):
        pairs = [
            (similarity(kernel, weights), name, index)
            for name, kernel in kernels.items()
            for index, weights in ops.items()
            if kernel.shape == weights.shape and name not in mapping and index not in mapping.values()
        ]
        pairs.sort(key=lambda pair: (-pair[0], list(kernels).index(pair[1]), pair[2]))
        for value, name, index in pairs:
            if value >= least and name not in mapping and index not in mapping.values():
                mapping[name] = index
    return mapping


def _similarity(kernel: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """Mean |cosine| of the rows that are nonzero in both; 0 when there are none."""
    a, b = kernel.astype(np.float64), weights.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    rows = norms > 0
    if not rows.any():
        return 0.0
    return float(np.mean(np.abs((a[rows] * b[rows]).sum(axis=1)) / norms[rows]))


def _similarity_by_columns(kernel: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """The same after each column of the kernel got the scale that comes closest to the weights."""
    a, b = kernel.astype(np.float64), weights.astype(np.float64)
    energy = (a * a).sum(axis=0)
    scales = (a * b).sum(axis=0) / np.where(energy > 0, energy, 1.0)
    return _similarity(a * scales, b)
