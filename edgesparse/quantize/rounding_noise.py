"""What rounding to int8 costs where channels are read, as a function of the scales that the channels get.

A channel that is divided by its scale where it is made, and multiplied where it is read, is the same channel. But

    activations    have one step for all channels of a tensor: small ones are lost beside large ones
    Dense          has one step for the whole kernel: small outputs and small inputs are lost (per tensor)
    convolutions   have one step per output: small inputs are lost beside large ones

Rounding by a step adds a mean square of step^2 / 12 per value, and products add up. What counts is the noise at the
outputs of the layers that read the channels, each output weighted by what the kernels behind make of it, relative to
the signal. So it does not depend on the scales that other channels have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.channel_graph import ChannelGroup, IntArray
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.quantize.scalable_channels import Float64, ScalableChannels, spread

__all__ = ["GroupNoise", "Seen", "Values", "group_noise"]

_SMALLEST = 2.0**-10
"""Of a channel's size, relative to the largest: what is smaller on the samples may not be so elsewhere."""

_ACTIVATION_STEPS, _WEIGHT_STEPS = 255, 127
"""Of the range of an activation, of the largest magnitude of weights."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A tensor on the samples, per index of the last axis [n]: lowest, highest, mean square, and how many values."""

    low: Float64
    high: Float64
    square: Float64
    count: int

    def divided(self, factors: Float64) -> Seen:
        """With each index divided by its factor [n]."""
        return Seen(self.low / factors, self.high / factors, self.square / factors**2, self.count)

    def width(self, scales: Float64) -> float:
        """The range that int8 must hold when each index is divided by its scale."""
        return max(0.0, float((self.high / scales).max())) - min(0.0, float((self.low / scales).min()))

    @property
    def size(self) -> Float64:
        """The largest magnitude of each index."""
        return np.maximum(self.high, -self.low)


@dataclass(frozen=True, eq=False)
class Values:
    """By path: what layers with kernels read, and what layers put out whose channels are added to those of others."""

    read: dict[str, Seen]
    made: dict[str, Seen]

    @staticmethod
    def note(where: dict[str, Seen], path: str, values: npt.NDArray[np.float32]) -> None:
        """Add values [..., n]; of several uses of a layer all count."""
        rows = values.reshape(-1, values.shape[-1])
        square = np.square(rows, dtype=np.float64).mean(axis=0)
        low, high, count = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64), len(rows)
        known = where.get(path)
        if known is not None:
            total = count + known.count
            square = (square * count + known.square * known.count) / total
            low, high, count = np.minimum(low, known.low), np.maximum(high, known.high), total
        where[path] = Seen(low, high, square, count)


@dataclass(frozen=True, eq=False)
class _Reader:
    """A kernel that reads channels of a group.

    position [in]: of the channel, -1 for others. largest [in, out]: weights, of what shares a step only the largest:
    one output for a kernel that has one step, none where a step belongs to one input. energy [in]: squares of the
    weights, summed over outputs as they count, over the signal; rounded [in, out]: how many weights that are not zero,
    in the same way.
    """

    seen: Seen
    position: IntArray
    largest: Float64
    energy: Float64
    rounded: Float64


@dataclass(frozen=True, eq=False)
class _Maker:
    """A kernel with one step that makes channels of a group. position [out]; largest [out]: weights; rounded [out]: the
    mean squares of the inputs, summed over the weights that are not zero."""

    position: IntArray
    largest: Float64
    rounded: Float64


@dataclass(frozen=True, eq=False)
class GroupNoise:
    """The noise of one group of n channels.

    added: tensors that are added up to the group, with the position of each index. free [n]: the scales of least noise
    if the steps were given, about 1. lowest_activation, lowest_maker, highest [n]: what keeps the steps of activations,
    of makers and of readers small, as bounds on the scales up to a factor.
    """

    added: tuple[tuple[Seen, IntArray], ...]
    makers: tuple[_Maker, ...]
    readers: tuple[_Reader, ...]
    free: Float64
    lowest_activation: Float64
    lowest_maker: Float64
    highest: Float64

    def of(self, scales: Float64) -> float:
        """The noise with scales [n], over the signal."""
        made = np.zeros(len(scales))
        for seen, position in self.added:
            own = position >= 0
            step = seen.width(spread(scales, position)) / _ACTIVATION_STEPS
            np.add.at(made, position[own], _square_of_step(step))
        for maker in self.makers:
            own = maker.position >= 0
            step = float((maker.largest / spread(scales, maker.position)).max()) / _WEIGHT_STEPS
            np.add.at(made, maker.position[own], _square_of_step(step) * maker.rounded[own])
        total = 0.0
        for reader in self.readers:
            scale = spread(scales, reader.position)
            activation = _square_of_step(reader.seen.width(scale) / _ACTIVATION_STEPS) + np.where(
                reader.position >= 0, made[reader.position], 0.0
            )
            total += float((activation * scale**2) @ reader.energy)
            if reader.largest.size:
                steps = (reader.largest * scale[:, np.newaxis]).max(axis=0) / _WEIGHT_STEPS
                total += float(_square_of_step(steps) @ ((reader.seen.square / scale**2) @ reader.rounded))
        return total

    def same_range(self, scales: Float64) -> Float64:
        """The scales times a number that keeps the largest activation: other channels may be in the same tensor."""
        sizes = _sizes(self.readers, len(scales))
        after = float((sizes / scales).max())
        return scales * (after / sizes.max()) if after > 0 else scales


def group_noise(
    model: Any, found: ScalableChannels, group: ChannelGroup, values: Values, *, dense_per_channel: bool
) -> GroupNoise | None:
    """Of a tf_keras model as its weights are now; None for a group that no kernel reads.

    found: of this model. values: on the samples, with these weights.
    """
    kernels = _Kernels(dict(iter_layers(model)), found, dense_per_channel)
    members = found.graph.members(group)
    readers = tuple(kernels.reader(axis.path, position, values) for axis, position in members if axis.role == "in")
    if not readers:
        return None
    sources = {norm: path for path, norm in found.norms.items()}
    makers = [sources.get(path, path) for path in group.layers]
    n = len(group.channels)
    found_makers = tuple(
        kernels.maker(source, found.outputs_of(group, path), values)
        for path, source in zip(group.layers, makers, strict=True)
        if kernels.one_step(source)
    )
    largest = np.zeros(n)
    for maker in found_makers:
        own = maker.position >= 0
        np.maximum.at(largest, maker.position[own], maker.largest[own] / max(maker.largest.max(), 1e-30))
    return GroupNoise(
        tuple((values.made[path], found.outputs_of(group, path)) for path in group.layers if path in values.made),
        found_makers,
        readers,
        _free(readers, n),
        _relative(_sizes(readers, n)),
        _relative(largest),
        1.0 / _relative(_read_by(readers, n)),
    )


@dataclass(frozen=True, eq=False)
class _Kernels:
    """The kernels of a model as the converter stores them: batch normalization is in them."""

    layers: Mapping[str, Any]
    found: ScalableChannels
    dense_per_channel: bool

    def one_step(self, path: str) -> bool:
        return type(self.layers[path]).__name__ == "Dense" and not self.dense_per_channel

    def magnitudes(self, path: str) -> Float64:
        """[in, positions, out]; of a kernel that works channel by channel [in, positions, 1]."""
        layer = self.layers[path]
        depthwise = getattr(layer, "depthwise_kernel", None)
        weights: Float64 = np.abs((layer.kernel if depthwise is None else depthwise).numpy().astype(np.float64))
        weights = np.moveaxis(weights, -2, 0)
        if depthwise is not None:
            return weights.reshape(len(weights), -1, 1)
        weights = weights.reshape(len(weights), -1, weights.shape[-1])
        if path in self.found.norms:
            norm = self.layers[self.found.norms[path]]
            deviation = np.sqrt(norm.moving_variance.numpy().astype(np.float64) + float(norm.epsilon))
            weights = weights * np.abs(norm.gamma.numpy().astype(np.float64)) / deviation
        return weights

    def heard(self, path: str, count: int) -> Float64:
        """What the kernels behind make of each output [count] of a layer, 1 where none is known."""
        outputs = self.found.graph.outputs[self.found.norms.get(path, path)]
        gains = np.zeros(self.found.graph.count)
        for axis in self.found.graph.axes:
            if axis.role == "in" and np.isin(axis.channels, outputs).any():
                np.add.at(gains, axis.channels, np.square(self.magnitudes(axis.path)).sum(axis=(1, 2)))
        gains = gains[outputs]
        return gains if len(gains) == count and gains.any() else np.ones(count)

    def reader(self, path: str, position: IntArray, values: Values) -> _Reader:
        weights, seen = self.magnitudes(path), values.read[path]
        channelwise = weights.shape[2] == 1 and hasattr(self.layers[path], "depthwise_kernel")
        count = len(weights) if channelwise else weights.shape[2]
        gains = self.heard(path, count)
        energy = np.square(weights).sum(axis=1)
        energy = energy[:, 0] * gains if channelwise else energy @ gains
        signal = max(float(seen.square @ energy), 1e-30)
        rounded = (weights > 0).sum(axis=1) * gains / signal if not channelwise else np.zeros((len(weights), 0))
        largest = weights.max(axis=1) if not channelwise else np.zeros((len(weights), 0))
        if self.one_step(path):
            largest, rounded = largest.max(axis=1, keepdims=True), rounded.sum(axis=1, keepdims=True)
        return _Reader(seen, position, largest, energy / signal, rounded)

    def maker(self, path: str, position: IntArray, values: Values) -> _Maker:
        weights = self.magnitudes(path)
        rounded = np.einsum("i,ijo->o", values.read[path].square, weights > 0)
        return _Maker(position, weights.max(axis=(0, 1)), rounded)


def _square_of_step(step: Any) -> Any:
    return step * step / 12


def _relative(sizes: Float64) -> Float64:
    """To the largest, not under _SMALLEST; channels that say nothing (0) have that of the largest."""
    if not sizes.any():
        return np.ones_like(sizes)
    relative = sizes / sizes.max()
    return np.where(relative > 0, np.maximum(relative, _SMALLEST), 1.0)


def _sizes(readers: tuple[_Reader, ...], n: int) -> Float64:
    """The largest magnitude of each channel [n] where it is read."""
    sizes = np.zeros(n)
    for reader in readers:
        own = reader.position >= 0
        np.maximum.at(sizes, reader.position[own], reader.seen.size[own])
    return sizes


def _read_by(readers: tuple[_Reader, ...], n: int) -> Float64:
    """The largest weight that reads each channel [n], over the largest that shares its step."""
    largest = np.zeros(n)
    for reader in readers:
        if reader.largest.size:
            steps = np.maximum(reader.largest.max(axis=0), 1e-30)
            own = reader.position >= 0
            np.maximum.at(largest, reader.position[own], (reader.largest / steps).max(axis=1)[own])
    return largest


def _free(readers: tuple[_Reader, ...], n: int) -> Float64:
    """(mean square / energy of what reads it) ** 0.25 of each channel [n], over the median."""
    square, energy = np.zeros(n), np.zeros(n)
    for reader in readers:
        own = reader.position >= 0
        np.maximum.at(square, reader.position[own], reader.seen.square[own])
        np.add.at(energy, reader.position[own], reader.energy[own])
    known = (square > 0) & (energy > 0)
    if not known.any():
        return np.ones(n)
    ratio = np.divide(square, energy, out=np.ones(n), where=known) ** 0.25
    return np.where(known, np.clip(ratio / np.median(ratio[known]), _SMALLEST, 1 / _SMALLEST), 1.0)
