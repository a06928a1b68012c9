"""What a network has less of when channels go: multiply-accumulates and weights, as sums over its kernels."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.channel_graph import ChannelGraph
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import iter_layers

__all__ = ["Work", "macs_of", "weights_of"]

BoolArray = npt.NDArray[np.bool_]

_KERNELS = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Dense"), ("kernel",)),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), ("depthwise_kernel",)),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), ("depthwise_kernel", "pointwise_kernel")),
}
"""By class of layer: the weights that are multiplied once per position of the output."""


@dataclass(frozen=True, eq=False)
class _Part:
    """factor * the number of weights that one kernel still has. axes: the channels of each axis that has some."""

    factor: int
    axes: tuple[npt.NDArray[np.int64], ...]

    def amount(self, stays: BoolArray) -> int:
        return self.factor * math.prod(int(np.count_nonzero(stays[axis])) for axis in self.axes)


@dataclass(frozen=True, eq=False)
class Work:
    """A whole number that falls as channels go."""

    parts: tuple[_Part, ...]

    def amount(self, stays: BoolArray) -> int:
        """For the channels that stay: bool per channel number of the graph."""
        return sum(part.amount(stays) for part in self.parts)


def macs_of(model: Any, graph: ChannelGraph) -> Work:
    """Multiply-accumulates of one inference: all convolutions and dense layers of a tf_keras model, as in TFLite."""
    return Work(
        tuple(
            _part(graph, path, getattr(layer, name), graph.positions.get(path, 0))
            for path, layer in iter_layers(model)
            for name in _KERNELS.get(type(layer).__name__, ())
        )
    )


def weights_of(model: Any, graph: ChannelGraph, kernels: Collection[str]) -> Work:
    """Weights of some kernels, named as iter_kernels names them."""
    return Work(tuple(_part(graph, k.name, k.variable, 1) for k in iter_kernels(model) if k.name in kernels))


def _part(graph: ChannelGraph, path: str, variable: Any, factor: int) -> _Part:
    axes = {axis.axis: axis.channels for axis in graph.axes if axis.path == path and axis.variable is variable}
    rest = math.prod(int(size) for index, size in enumerate(variable.shape) if index not in axes)
    return _Part(factor * rest, tuple(axes.values()))
