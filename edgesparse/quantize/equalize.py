"""Cross-layer equalization: the same float network with channels of more equal size, which int8 keeps better.

After Nagel et al., "Data-free quantization through weight equalization and bias correction" (2019). There a channel's
scale balances the ranges of the weights before and behind it. TFLite has one scale per output of a convolution, so that
what makes a channel may have any size; which scales are best is a question of rounding_noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.channel_graph import ChannelGroup
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.observe import Step, run_with
from edgesparse.keras_model.validate import free_batch
from edgesparse.quantize.rounding_noise import GroupNoise, Values, group_noise
from edgesparse.quantize.scalable_channels import (
    Float64,
    ScalableChannels,
    rescale_channels,
    scalable_channels,
    spread,
)

__all__ = ["equalize"]

_SWEEPS = 2
"""Over all groups: the scales of one change the kernels of the next."""

_ROUNDS = 2
"""Over the three bounds of a group."""

_BOUNDS = tuple(2.0 ** (exponent / 2) for exponent in range(-16, 17))
"""Where a bound on the scales of a group may lie; a channel in the middle has a scale of about 1."""

_WORTH = 0.95
"""Of the noise that a group has now: with more, it stays as it is."""


def equalize(model: Any, x: FloatArray, *, dense_per_channel: bool) -> Any | None:
    """A copy of a tf_keras model with channels scaled for int8: the same outputs within rounding, the same zeros.

    x: samples [n, *input] that give the size of the activations. dense_per_channel: as for quantize. None where no
    channel can be scaled or it would not help. Same arguments, same weights.
    """
    copy = free_batch(model, always=True)
    found = scalable_channels(copy)
    if not found.graph.groups:
        return None
    values = _observe(copy, found, x)
    changed = False
    for _ in range(_SWEEPS):
        for group in found.graph.groups:
            noise = group_noise(copy, found, group, values, dense_per_channel=dense_per_channel)
            scales = _choose(noise) if noise is not None else None
            if scales is not None:
                _apply(found, group, scales, values)
                changed = True
    return copy if changed else None


def _observe(model: Any, found: ScalableChannels, x: FloatArray) -> Values:
    """What layers with kernels read, and what layers put out whose channels several layers make."""
    values = Values({}, {})

    def step_of(path: str, reads: bool, makes: bool) -> Step:
        def step(inputs: Any, compute: Callable[[Any], Any]) -> Any:
            outputs = compute(inputs)
            if reads:
                values.note(values.read, path, inputs.numpy())
            if makes:
                values.note(values.made, path, outputs.numpy())
            return outputs

        return step

    layers = dict(iter_layers(model))
    reading = {kernel.name for kernel in iter_kernels(model)}
    making = {path for group in found.graph.groups if len(group.layers) > 1 for path in group.layers}
    steps = {path: (layers[path], step_of(path, path in reading, path in making)) for path in reading | making}
    with quiet():
        run_with(model, tensorflow().constant(x, dtype="float32"), steps)
    return values


def _choose(noise: GroupNoise) -> Float64 | None:
    """Scales [n] of a group with little noise; None where 1 is as good.

    With the steps given, noise is least at GroupNoise.free. The steps follow from the scales in turn: activations and
    makers bound them from below, readers from above. Where the bounds lie is searched.
    """

    def scales_of(activation: float, maker: float, reader: float) -> Float64:
        scales = np.minimum(noise.free, reader * noise.highest) if reader else noise.free
        return np.maximum(scales, np.maximum(activation * noise.lowest_activation, maker * noise.lowest_maker))

    levels = (0.0, 0.0, 0.0)
    least = noise.of(scales_of(*levels))
    for _ in range(_ROUNDS):
        for index in range(len(levels)):
            for bound in (0.0, *_BOUNDS):
                tried = (*levels[:index], bound, *levels[index + 1 :])
                total = noise.of(scales_of(*tried))
                if total < least:
                    levels, least = tried, total
    plain = noise.of(np.ones_like(noise.free))
    return noise.same_range(scales_of(*levels)) if least < _WORTH * plain else None


def _apply(found: ScalableChannels, group: ChannelGroup, scales: Float64, values: Values) -> None:
    """Scale a group in place, and follow in what was observed."""
    rescale_channels(found.graph, group, scales)
    for axis, position in found.graph.members(group):
        if axis.role == "in":
            values.read[axis.path] = values.read[axis.path].divided(spread(scales, position))
    for path in group.layers:
        if path in values.made:
            values.made[path] = values.made[path].divided(spread(scales, found.outputs_of(group, path)))
