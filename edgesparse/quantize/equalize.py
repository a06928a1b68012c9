"""Cross-layer equalization: the same float network with channels of more equal size, which int8 keeps better.

After Nagel et al., "Data-free quantization through weight equalization and bias correction" (2019). There a channel's
scale balances the ranges of the weights before and behind it. TFLite has one scale per output of a convolution, so that
what makes a channel may have any size; what suffers is

    activations    one step for all channels of a tensor: small ones are lost beside large ones
    Dense          one step for the whole kernel, so that small outputs and small inputs are lost (per tensor)
    convolutions   one step per output: small inputs are lost beside large ones

Each asks for its own channel scales. Between them the choice is by the noise that the rounding of all three brings to
the outputs of the layers which read the channels, relative to their signal, as the calibration samples have it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.validate import free_batch
from edgesparse.quantize.scalable_channels import scalable_channels
from edgesparse.sparsify.channel_groups import ChannelAxis, IntArray
from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.observe import Step, run_with

__all__ = ["equalize"]

Float64 = npt.NDArray[np.float64]

_SWEEPS = 2
"""Over all groups: the scales of one change the kernels that the next one sees, where these have one step."""

_SMALLEST = 2.0**-10
"""Of a channel's size, relative to the largest: what is smaller on the samples may not be so elsewhere."""

_PARTS = 4
"""Steps of the weights with which the three wishes are mixed."""

_WORTH = 0.95
"""Of the noise that a group has now: with more, it stays as it is."""


@dataclass(eq=False)
class _Input:
    """What a layer with a kernel reads on the samples, per index of the last axis: lowest, highest, mean square."""

    low: Float64
    high: Float64
    square: Float64
    count: int

    def joined(self, other: _Input) -> _Input:
        """Of two uses of the layer."""
        count = self.count + other.count
        square = (self.square * self.count + other.square * other.count) / count
        return _Input(np.minimum(self.low, other.low), np.maximum(self.high, other.high), square, count)


@dataclass(frozen=True, eq=False)
class _Side:
    """An axis of a kernel that has channels of a group. position [size of the axis]: of the channel, -1 for others.

    one_step: all weights share it, else there is one per output. norm: what is folded into the kernel.
    """

    axis: ChannelAxis
    position: IntArray
    one_step: bool
    depthwise: bool
    norm: Any | None
    next: tuple[tuple[_Side, IntArray], ...] = ()

    def kernel(self) -> Float64:
        """Magnitudes [in, positions, out] with what is folded into them; depthwise [in, positions, 1]."""
        values = np.abs(self.axis.variable.numpy().astype(np.float64))
        if self.depthwise:
            return np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1, 1)
        if self.norm is not None:
            deviation = np.sqrt(self.norm.moving_variance.numpy().astype(np.float64) + float(self.norm.epsilon))
            values = values * np.abs(self.norm.gamma.numpy().astype(np.float64)) / deviation
        return np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1, values.shape[-1])

    def gains(self, outputs: int) -> Float64:
        """How much the kernels behind make of each output [outputs], 1 where they are not known."""
        gains = np.zeros(outputs)
        for side, output in self.next:
            energy = (side.kernel() ** 2).sum(axis=(1, 2))
            known = output >= 0
            np.add.at(gains, output[known], energy[known])
        return gains if gains.any() else np.ones(outputs)

    def spread(self, scales: Float64) -> Float64:
        """The scales of a group [n] per index of the axis, 1 for channels of others."""
        return np.where(self.position >= 0, scales[self.position], 1.0)


@dataclass(frozen=True, eq=False)
class _Group:
    """Channels that go together. made: all axes to divide; dense: kernels among their makers that have one step."""

    size: int
    made: tuple[tuple[ChannelAxis, IntArray], ...]
    dense: tuple[_Side, ...]
    readers: tuple[_Side, ...]


def equalize(model: Any, x: FloatArray, *, dense_per_channel: bool) -> Any | None:
    """A copy of a tf_keras model with channels scaled for int8: the same outputs within rounding, the same zeros.

    x: samples [n, *input] that give the size of the activations. dense_per_channel: as for quantize. None where no
    channel can be scaled or it would not help. Same arguments, same weights.
    """
    copy = free_batch(model, always=True)
    groups, norms = _groups(copy, dense_per_channel=dense_per_channel)
    if not groups:
        return None
    inputs = _observe(copy, x)
    changed = False
    for _ in range(_SWEEPS):
        for group in groups:
            scales = _choose(group, inputs)
            if scales is not None:
                _apply(group, scales, inputs)
                changed = True
    return copy if changed else None


def _groups(model: Any, *, dense_per_channel: bool) -> tuple[list[_Group], Mapping[str, Any]]:
    found = scalable_channels(model)
    layers = dict(iter_layers(model))
    sources = {id(norm): path for path, norm in found.norms.items()}

    def side(axis: ChannelAxis, position: IntArray) -> _Side:
        dense = type(layers[axis.path]).__name__ == "Dense"
        depthwise = "Dense" not in type(layers[axis.path]).__name__ and axis.variable is getattr(
            layers[axis.path], "depthwise_kernel", None
        )
        return _Side(axis, position, dense and not dense_per_channel, depthwise, found.norms.get(axis.path))

    reading = [axis for axis in found.graph.axes if axis.role == "in"]

    def following(path: str) -> tuple[tuple[_Side, IntArray], ...]:
        norm = found.norms.get(path)
        if norm is not None:
            path = next(p for p, layer in layers.items() if layer is norm)
        outputs = found.graph.outputs[path]
        number = np.full(found.graph.count, -1, np.int64)
        number[outputs] = np.arange(len(outputs))
        result = []
        for axis in reading:
            output = number[axis.channels]
            if (output >= 0).any():
                result.append((side(axis, output), output))
        return tuple(result)

    kernels = {id(kernel.variable) for kernel in iter_kernels(model)}
    groups = []
    for group in found.graph.groups:
        members = found.graph.members(group)
        made = tuple((axis, position) for axis, position in members if axis.role == "out")
        readers = tuple(replace(side(axis, position), next=following(axis.path)) for axis, position in members if axis.role == "in")
        dense = []
        for axis, position in made:
            layer = layers[axis.path]
            if id(layer) in sources and axis.variable is layer.gamma:
                kernel = layers[sources[id(layer)]]
                if type(kernel).__name__ == "Dense":
                    own = ChannelAxis(sources[id(layer)], kernel.kernel, 1, "out", axis.channels)
                    dense.append(side(own, position))
            elif id(axis.variable) in kernels and type(layer).__name__ == "Dense":
                dense.append(side(axis, position))
        if readers and made:
            groups.append(_Group(len(group.channels), made, tuple(s for s in dense if s.one_step), readers))
    return groups, found.norms


def _observe(model: Any, x: FloatArray) -> dict[str, _Input]:
    """Per path of a layer with a kernel, what it reads."""
    seen: dict[str, _Input] = {}

    def step_of(path: str) -> Step:
        def step(inputs: Any, compute: Callable[[Any], Any]) -> Any:
            rows = inputs.numpy().reshape(-1, inputs.shape[-1])
            square = np.einsum("ij,ij->j", rows, rows, dtype=np.float64) / len(rows)
            here = _Input(rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64), square, len(rows))
            seen[path] = seen[path].joined(here) if path in seen else here
            return compute(inputs)

        return step

    layers = dict(iter_layers(model))
    with quiet():
        run_with(
            model,
            tensorflow().constant(x, dtype="float32"),
            {kernel.name: (layers[kernel.name], step_of(kernel.name)) for kernel in iter_kernels(model)},
        )
    return seen


def _choose(group: _Group, inputs: Mapping[str, _Input]) -> Float64 | None:
    """Scales [n] with the least noise among mixtures of what activations, makers and readers ask for; None for 1."""
    wishes = [_floored(wish) for wish in (_activations(group, inputs), _makers(group), _readers(group)) if wish.any()]
    plain = np.ones(group.size)
    best, least = None, _WORTH * _noise(group, plain, inputs)
    for shares in itertools.product(range(_PARTS + 1), repeat=len(wishes)):
        if sum(shares) != _PARTS:
            continue
        scales = np.exp(sum(share / _PARTS * np.log(wish) for share, wish in zip(shares, wishes, strict=True)))
        scales = scales / scales.max()
        noise = _noise(group, scales, inputs)
        if noise < least:
            best, least = scales, noise
    return None if best is None else _same_range(group, best, inputs)


def _floored(wish: Float64) -> Float64:
    """Relative to the largest, not under _SMALLEST; channels that say nothing (0) keep the scale of the largest."""
    relative = wish / wish.max()
    return np.where(relative > 0, np.maximum(relative, _SMALLEST), 1.0)


def _activations(group: _Group, inputs: Mapping[str, _Input]) -> Float64:
    """The largest magnitude of each channel [n]."""
    wish = np.zeros(group.size)
    for side in group.readers:
        given = inputs[side.axis.path]
        own = side.position >= 0
        np.maximum.at(wish, side.position[own], np.maximum(given.high, -given.low)[own])
    return wish


def _makers(group: _Group) -> Float64:
    """The largest weight of each channel [n], of kernels that have one step."""
    wish = np.zeros(group.size)
    for side in group.dense:
        rows = side.kernel().max(axis=(0, 1))
        if rows.any():
            np.maximum.at(wish, side.position, rows / rows.max())
    return wish


def _readers(group: _Group) -> Float64:
    """One over the largest weight that reads each channel [n], relative to what it shares a step with."""
    largest = np.zeros(group.size)
    for side in group.readers:
        if not side.depthwise:
            columns = _relative(side)
            own = side.position >= 0
            np.maximum.at(largest, side.position[own], columns[own])
    return np.divide(1.0, largest, out=np.zeros(group.size), where=largest > 0)


def _relative(side: _Side) -> Float64:
    """The largest weight per input, over the largest that shares its step."""
    weights = side.kernel().max(axis=1)
    steps = weights.max() if side.one_step else weights.max(axis=0)
    return np.divide(weights, steps, out=np.zeros_like(weights), where=np.broadcast_to(steps, weights.shape) > 0).max(
        axis=1
    )


def _noise(group: _Group, scales: Float64, inputs: Mapping[str, _Input]) -> float:
    """Of the outputs of the readers, from rounding activations and weights, relative to their signal."""
    made = np.zeros(group.size)  # mean square per channel, in units of the scaled activations
    for side in group.dense:
        weights = side.kernel()
        step = (weights.max(axis=(0, 1)) / scales[side.position]).max() / 127
        per_output = np.einsum("i,ijo->o", inputs[side.axis.path].square, weights > 0) * step**2 / 12
        np.maximum.at(made, side.position, per_output)
    total = 0.0
    for side in group.readers:
        given, scale, weights = inputs[side.axis.path], side.spread(scales), side.kernel()
        width = max(0.0, float((given.high / scale).max())) - min(0.0, float((given.low / scale).min()))
        activation = (width / 255) ** 2 / 12 + np.where(side.position >= 0, made[side.position], 0.0)
        energy = np.einsum("ijo,ijo->io", weights, weights)
        if side.depthwise:
            noise, signal = (activation * scale**2)[:, np.newaxis] * energy, given.square[:, np.newaxis] * energy
        else:
            steps = (weights.max(axis=1) * scale[:, np.newaxis]).max(axis=0) / 127
            steps = np.full_like(steps, steps.max()) if side.one_step else steps
            rounded = np.einsum("i,ijo->o", given.square / scale**2, weights > 0)
            noise = (activation * scale**2) @ energy + steps**2 / 12 * rounded
            signal = given.square @ energy
        gains = side.gains(signal.size)
        heard = float(np.ravel(signal) @ gains)
        if heard > 0:
            total += float(np.ravel(noise) @ gains) / heard
    return total


def _same_range(group: _Group, scales: Float64, inputs: Mapping[str, _Input]) -> Float64:
    """The scales times a number that keeps the largest activation, for tensors that other channels are part of."""
    sizes = _activations(group, inputs)
    after = float((sizes / scales).max())
    return scales * (after / sizes.max()) if after > 0 else scales


def _apply(group: _Group, scales: Float64, inputs: dict[str, _Input]) -> None:
    for axis, position in group.made:
        _multiply(axis, np.where(position >= 0, 1.0 / scales[position], 1.0))
    for side in group.readers:
        scale = side.spread(scales)
        _multiply(side.axis, scale)
        given = inputs[side.axis.path]
        inputs[side.axis.path] = _Input(given.low / scale, given.high / scale, given.square / scale**2, given.count)


def _multiply(axis: ChannelAxis, factors: Float64) -> None:
    """Along one axis of a weight, in place."""
    values = np.moveaxis(axis.variable.numpy().astype(np.float64), axis.axis, -1) * factors
    axis.variable.assign(np.moveaxis(values, -1, axis.axis).astype(np.float32))
