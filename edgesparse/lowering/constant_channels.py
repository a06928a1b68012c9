"""Output channels that cannot vary: their weights need no bytes, and their sums no range.

A filter that training let die, or that pruning emptied, leaves a channel whose output is its bias. The converter
then picks a tiny scale, and the int32 bias grows to 2^30 or just under it. The output is still a constant byte, which a
small sum with a multiplier of a quarter gives exactly. So such a channel never costs the others a kernel.
"""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import multiply_by_quantized_multiplier
from edgesparse.graph import Int8Array, Int32Array
from edgesparse.lowering.context import ChannelScales

__all__ = ["fold_constant_channels"]

_HALF = 1 << 30
_RIGHT_ONE = -1
_USUAL_SHIFTS = range(-22, 0)
"""Those that every kernel takes."""


def fold_constant_channels(
    weights: Int8Array,
    bias: Int32Array,
    scales: ChannelScales,
    *,
    input_zero_point: int,
    output_zero_point: int,
    low: int,
    high: int,
    limit: int,
) -> tuple[Int8Array, Int32Array, ChannelScales]:
    """Weights [channels, ...], bias and scales with every constant channel rewritten; equal outputs for every input.

    A channel is constant where the smallest and the largest sum that int8 inputs can give round and clamp to the
    same output, `low` to `high`: requantization is monotone. limit: the smallest that a kernel or a format of the op
    has for its sums (limits.py).
    """
    rows = weights.reshape(len(bias), -1).astype(np.int64)
    least, most = -128 - input_zero_point, 127 - input_zero_point
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    smallest = bias + least * positive + most * negative
    largest = bias + most * positive + least * negative
    channels = len(bias)
    multipliers = np.broadcast_to(scales.multipliers, channels).copy()
    shifts = np.broadcast_to(scales.shifts, channels).copy()
    new_weights, new_bias = weights.copy(), bias.copy()
    changed = False
    per_channel = bool(scales.per_channel)
    for channel in range(channels):
        multiplier, shift = int(multipliers[channel]), int(shifts[channel])
        ends = int(smallest[channel]), int(largest[channel])
        if not _fits(*ends, shift):
            continue
        large = max(abs(end) for end in ends) << max(shift, 0) >= limit
        # One scale for all channels stays one, unless a sum leaves no choice.
        odd = shift not in _USUAL_SHIFTS
        if not large and not (per_channel and (odd or rows[channel].any())):
            continue
        outputs = {
            min(max(multiply_by_quantized_multiplier(end, multiplier, shift) + output_zero_point, low), high)
            for end in ends
        }
        if len(outputs) == 1:
            new_weights[channel] = 0
            new_bias[channel] = 4 * (outputs.pop() - output_zero_point)
            multipliers[channel], shifts[channel] = _HALF, _RIGHT_ONE
            changed = True
    if not changed:
        return weights, bias, scales
    return new_weights, new_bias, ChannelScales(multipliers, shifts)


def _fits(smallest: int, largest: int, shift: int) -> bool:
    """Whether the reference's int32 sums do not wrap."""
    left = max(shift, 0)
    return smallest << left >= -(2**31) and largest << left < 2**31
