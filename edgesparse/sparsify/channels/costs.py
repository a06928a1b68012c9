"""What a network loses as the channels of a group go, and in which order they should.

What reads a channel is later Conv and Dense layers. Each of them loses a share of the variance of its outputs; of
shares r that are lost in several layers, the loss is the sum of -log(1 - r): nothing at first, without bound as a
layer loses all it had. Two ways to know the share:

By reconstruction, from samples: a layer maps inputs x to outputs W x, and the weights that stay may move. With A the
inverse of H, the mean of x x', removing the inputs S of all outputs together costs the trace of W_S (A_SS)^-1 W_S', and
the best other weights follow (optimal brain surgeon for columns; see second_order). One channel after the other, each
time the cheapest for all layers that read it.

By magnitude, without: the part that the channel's weights have in the sum of squares of the layer's weights, each
times what scales the channel: the gamma of its normalization, or else the norm of the filter that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.channel_graph import ChannelGraph, ChannelGroup
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.observe import Step, run_with
from edgesparse.sparsify.layer_inputs import has_rows
from edgesparse.sparsify.reference import KernelLayer, Reference, problem_of

__all__ = ["GroupCosts", "magnitude_costs", "reconstruction_costs"]

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MAX_SHARE = 1.0 - 1e-6
_MAX_STEPS = 64
"""Of one group: of more channels, several go before the others are scored anew."""


@dataclass(frozen=True, eq=False)
class GroupCosts:
    """order [n]: positions in the group's channels, first to go first. losses [n]: after the first 0, 1, ... n - 1."""

    order: IntArray
    losses: Array


@dataclass(eq=False)
class _Reader:
    """A layer that reads channels, while they go: inverse [d, d] and weights [out, d] as in second_order.

    variance: of its outputs, summed; lost: of it.
    """

    inverse: Array
    weights: Array
    variance: float
    lost: float = 0.0

    def scores(self, columns: IntArray) -> Array:
        """What the sets of columns [k, w] would cost, each by itself: [k]."""
        blocks = self.inverse[columns[:, :, np.newaxis], columns[:, np.newaxis]]
        parts = np.moveaxis(self.weights[:, columns], 0, -1)
        result: Array = np.sum(parts * np.linalg.solve(blocks, parts), axis=(1, 2))
        return result

    def remove(self, columns: IntArray) -> None:
        """Take away columns [w], and let the other weights make up for it."""
        parts = self.weights[:, columns]
        block = self.inverse[np.ix_(columns, columns)]
        solved = np.linalg.solve(block, np.hstack([self.inverse[columns], parts.T]))
        width = len(self.inverse)
        self.lost += float(np.sum(parts.T * solved[:, width:]))
        self.weights = self.weights - parts @ solved[:, :width]
        self.inverse = self.inverse - self.inverse[:, columns] @ solved[:, :width]

    def copy(self) -> _Reader:
        return _Reader(self.inverse, self.weights, self.variance)


def reconstruction_costs(
    model: Any, graph: ChannelGraph, layers: Mapping[str, KernelLayer], inputs: Any, reference: Reference
) -> dict[str, GroupCosts]:
    """By group name, from what the layers of a tf_keras model compute for inputs [n, *input].

    Each group by itself, the others whole. layers, reference: of the same model, by kernel_layers and record.
    """
    readers: dict[str, _Reader] = {}

    def path_step(path: str, entry: KernelLayer) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            if path not in readers:
                problem = problem_of(entry, x, reference)
                inverse = np.linalg.inv(problem.hessian)
                variance = float(np.sum(reference.outputs[path].astype(np.float64).var(axis=0)))
                readers[path] = _Reader((inverse + inverse.T) / 2, (inverse @ problem.correlation).T, variance)
            return compute(x)

        return step

    reading = {axis.path for group in graph.groups for axis, _ in graph.members(group) if axis.role == "in"}
    steps = {
        path: (entry.layer, path_step(path, entry))
        for path, entry in layers.items()
        if path in reading and has_rows(entry.layer)
    }
    run_with(model, inputs, steps)
    return {group.name: _one_by_one(graph, group, readers) for group in graph.groups}


def _one_by_one(graph: ChannelGraph, group: ChannelGroup, readers: Mapping[str, _Reader]) -> GroupCosts:
    count = len(group.channels)
    used = {
        axis.path: (readers[axis.path].copy(), _columns(index, len(readers[axis.path].inverse), count))
        for axis, index in graph.members(group)
        if axis.role == "in" and axis.path in readers
    }
    left = np.arange(count)
    order: list[int] = []
    losses = [0.0]
    step = -(-count // _MAX_STEPS)
    while len(left) > 1:
        scores = np.zeros(len(left))
        for reader, columns in used.values():
            rest = max(reader.variance - reader.lost, (1 - _MAX_SHARE) * reader.variance, 1e-30)
            scores += _scores(reader, [columns[position] for position in left.tolist()]) / rest
        chosen = left[np.argsort(scores, kind="stable")[: min(step, len(left) - 1)]]
        for position in chosen.tolist():
            for reader, columns in used.values():
                if len(columns[position]):
                    reader.remove(columns[position])
            order.append(position)
            losses.append(_loss(np.array([reader.lost / max(reader.variance, 1e-30) for reader, _ in used.values()])))
        left = left[~np.isin(left, chosen)]
    order.append(int(left[0]))
    return GroupCosts(np.array(order, np.int64), np.array(losses))


def _columns(index: IntArray, width: int, count: int) -> list[IntArray]:
    """Per position in a group its columns of a kernel [out, taps * in]. index [in]: position of each input, or -1."""
    everywhere = np.tile(index, width // len(index))
    return [np.flatnonzero(everywhere == position) for position in range(count)]


def _scores(reader: _Reader, columns: list[IntArray]) -> Array:
    """Cost of each set of columns: sets of one size go together."""
    result = np.zeros(len(columns))
    sizes = np.array([len(part) for part in columns])
    for size in np.unique(sizes[sizes > 0]).tolist():
        at = np.flatnonzero(sizes == size)
        result[at] = reader.scores(np.stack([columns[i] for i in at.tolist()]))
    return result


def magnitude_costs(model: Any, graph: ChannelGraph) -> dict[str, GroupCosts]:
    """By group name, from the weights alone."""
    owners = dict(iter_layers(model))
    result = {}
    for group in graph.groups:
        count = len(group.channels)
        filters, gammas, shares = np.zeros(count), np.zeros(count), []
        for axis, index in graph.members(group):
            others = tuple(i for i in range(len(axis.variable.shape)) if i != axis.axis)
            squares = np.sum(np.square(axis.variable.numpy().astype(np.float64)), axis=others)
            found = np.bincount(index[index >= 0], weights=squares[index >= 0], minlength=count)
            if axis.role == "out" and len(others):
                filters += found
            elif axis.variable is getattr(owners[axis.path], "gamma", None):
                gammas += found
            elif axis.role == "in":
                shares.append((found, float(squares[index < 0].sum())))
        scale = gammas if gammas.any() else filters
        weighed = [(found * scale, rest * float(scale.mean())) for found, rest in shares]
        parts = np.array([found / max(float(found.sum()) + rest, 1e-30) for found, rest in weighed]).reshape(-1, count)
        order = np.argsort(parts.sum(axis=0), kind="stable")
        lost = np.concatenate([np.zeros((len(parts), 1)), np.cumsum(parts[:, order], axis=1)[:, :-1]], axis=1)
        result[group.name] = GroupCosts(order, np.array([_loss(column) for column in lost.T]))
    return result


def _loss(shares: Array) -> float:
    return float(-np.log1p(-np.clip(shares, 0.0, _MAX_SHARE)).sum())
