"""Networks some of whose filters pruning emptied, as the converter leaves them: a huge bias at a tiny scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.support.tflite_builder import LINEAR, PADDING_SAME, RELU, TfliteBuilder

__all__ = ["chain", "prune"]

_SCALE = 0.05
_USUAL = 0.003  # of weights

Weights = NDArray[np.int8]


def prune(rng: np.random.Generator, weights: Weights, zeros: float, emptied: Sequence[int]) -> Weights:
    """Zero a share of the blocks of 1x4, and whole filters. weights [filters, height, width, channels]."""
    blocks = rng.random(weights.size // 4) < zeros
    pruned: Weights = np.where(np.repeat(blocks, 4).reshape(weights.shape), 0, weights).astype(np.int8)
    pruned[list(emptied)] = 0
    return pruned


def chain(
    layers: Sequence[tuple[Weights, dict[int, tuple[int, float]]]],
    size: int,
    *,
    kind: str = "CONV_2D",
    zero_points: Sequence[int] | None = None,
    seed: int = 0,
) -> bytes:
    """3x3 convolutions or fully connected layers, one behind another.

    layers: weights [out, height, width, in], and of single channels the bias and the rescaling factor instead of the
    usual ones. The last layer is linear, the others end in a ReLU.
    """
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    points = zero_points or [-128] * len(layers)
    dense = kind == "FULLY_CONNECTED"
    in_c = layers[0][0].shape[3]
    x = net.input((1, in_c) if dense else (1, size, size, in_c), _SCALE, -1)
    for number, ((weights, odd), zero_point) in enumerate(zip(layers, points, strict=True)):
        out_c = weights.shape[0]
        out_scale = _SCALE
        scales = rng.uniform(0.7, 1.3, out_c) * _USUAL
        bias = rng.integers(-900, 900, out_c).astype(np.int32)
        for channel, (value, factor) in odd.items():
            bias[channel], scales[channel] = value, factor * out_scale / _SCALE
        y = net.activation((1, out_c) if dense else (1, size, size, out_c), out_scale, zero_point)
        values = weights.reshape(out_c, -1) if dense else weights
        options = {"fusedActivationFunction": LINEAR if number == len(layers) - 1 else RELU}
        if not dense:
            options |= {"padding": PADDING_SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        net.op(kind, [x, net.constant(values, scales), net.constant(bias)], [y], **options)
        x = y
    return net.build([x])
