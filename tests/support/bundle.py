"""Many one-op networks as one network, so that one firmware holds them all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from tests.support.tflite_builder import PADDING_VALID, TfliteBuilder

__all__ = ["bundle"]

_VALUES = 1296
"""Of the shared input: as many as the largest image of tests.kernels.networks has."""
_SCALE, _ZERO_POINT = 0.05, 0
_MOST_INPUTS = 10
"""Of a CONCATENATION on TFLite Micro."""


def bundle(networks: Iterable[bytes]) -> bytes:
    """Networks of one int8 input and one int8 output side by side, in their order.

    input [1, 1296] -+- every k-th value, zeros behind, QUANTIZE -> network 0 -> QUANTIZE -+- CONCATENATION -> [1, n]
                     +- ...                                      -> network 1 -> QUANTIZE -+
    """
    net = TfliteBuilder()
    x = net.input((1, _VALUES), _SCALE, _ZERO_POINT)
    column = _reshaped(net, x, (1, _VALUES, 1, 1))
    outputs = []
    for network in networks:
        last = net.embed(network, partial(_write_values, net, column))
        rescaled = net.activation(net.shape(last), _SCALE, _ZERO_POINT)
        net.op("QUANTIZE", [last], [rescaled])
        outputs.append(_reshaped(net, rescaled, (1, net.elements(last))))
    while len(outputs) > 1:
        outputs = [_joined(net, outputs[at : at + _MOST_INPUTS]) for at in range(0, len(outputs), _MOST_INPUTS)]
    return net.build(outputs)


def _write_values(net: TfliteBuilder, column: int, tensor: int) -> None:
    net.op("QUANTIZE", [_taken(net, column, net.shape(tensor))], [tensor])


def _taken(net: TfliteBuilder, column: int, shape: tuple[int, ...]) -> int:
    """As many values of the column as the shape has: each k-th, by a pool of one value, and zeros behind them."""
    count = int(np.prod(shape))
    step = -(-_VALUES // count)
    taken = -(-_VALUES // step)
    tensor = net.activation((1, taken, 1, 1), _SCALE, _ZERO_POINT)
    net.op(
        "MAX_POOL_2D", [column], [tensor], padding=PADDING_VALID, strideH=step, strideW=1, filterHeight=1, filterWidth=1
    )
    if taken < count:
        padded = net.activation((1, count, 1, 1), _SCALE, _ZERO_POINT)
        pairs = np.array([[0, 0], [0, count - taken], [0, 0], [0, 0]], np.int32)
        net.op("PAD", [tensor, net.constant(pairs)], [padded])
        tensor = padded
    return _reshaped(net, tensor, shape)


def _joined(net: TfliteBuilder, tensors: list[int]) -> int:
    joined = net.activation((1, sum(net.elements(tensor) for tensor in tensors)), _SCALE, _ZERO_POINT)
    net.op("CONCATENATION", tensors, [joined], axis=1)
    return joined


def _reshaped(net: TfliteBuilder, tensor: int, shape: tuple[int, ...]) -> int:
    reshaped = net.activation(shape, _SCALE, _ZERO_POINT)
    net.op("RESHAPE", [tensor, net.constant(np.array(shape, np.int32))], [reshaped], newShape=list(shape))
    return reshaped
