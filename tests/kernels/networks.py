"""Random one-op networks, by op. Shapes are small and odd on purpose; every generator is a pure function of its rng."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import Scale, TfliteBuilder

Rng: TypeAlias = np.random.Generator
Network: TypeAlias = tuple[bytes, list[NDArray[np.generic]]]

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATIONS = (
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1,
)


def _int8(rng: Rng, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Mostly uniform, now and then saturated."""
    kind = rng.integers(0, 8)
    if kind == 0:
        return np.full(shape, rng.choice([-128, 127]), np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


def _zero_point(rng: Rng) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def _weights(rng: Rng, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Dense, all zero, unstructured or blockwise sparse, and with empty filters."""
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    kind = rng.integers(0, 6)
    if kind == 0:
        return np.zeros(shape, np.int8)
    if kind == 1:
        return weights
    density = rng.choice([0.02, 0.1, 0.25, 0.5])
    if kind in (2, 3):
        keep = rng.random(shape) < density
    else:
        flat = weights.reshape(shape[0], -1)
        blocks = rng.random((shape[0], -(-flat.shape[1] // 4))) < density
        keep = np.repeat(blocks, 4, axis=1)[:, : flat.shape[1]].reshape(shape)
    keep[rng.integers(0, shape[0])] = False
    weights[~keep] = 0
    return weights


def _parameters(
    rng: Rng, builder: TfliteBuilder, input_scale: float, shape: tuple[int, ...], axis: int = 0, lowest: int = -127
) -> tuple[list[int], NDArray[np.float32]]:
    """Weights and mostly a bias as constants, and the scales of the weights."""
    channels = shape[axis]
    scales = rng.uniform(0.002, 0.02, channels if rng.integers(0, 2) else 1).astype(np.float32)
    weights = _weights(rng, shape)
    if rng.integers(0, 3) == 0:
        weights[weights < -100] = lowest
    bias = rng.integers(-3000, 3000, channels).astype(np.int32)
    _kill_a_channel(rng, weights, axis, scales, bias)
    constants = [builder.constant(weights, scales, axis)]
    if rng.integers(0, 5):  # else none; TFLM's DEPTHWISE_CONV_2D crashes on one of -1
        constants.append(builder.constant(bias, (np.float32(input_scale) * scales).astype(np.float32)))
    return constants, scales


def _kill_a_channel(
    rng: Rng, weights: NDArray[np.int8], axis: int, scales: NDArray[np.float32], bias: NDArray[np.int32]
) -> None:
    """What the converter makes of a dead filter: no weights, a tiny scale, a bias near the end of int32."""
    if len(scales) > 1 and rng.integers(0, 3) == 0:
        channel = int(rng.integers(0, len(scales)))
        np.moveaxis(weights, axis, 0)[channel] = 0
        scales[channel] = 1e-8
        bias[channel] = rng.choice([-1, 1]) * rng.integers(2**29, 2**31 - 1)


def _out_size(padding: int, size: int, kernel: int, stride: int, dilation: int) -> int:
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else -(-(size - reach + 1) // stride)


def _image(rng: Rng, channels: tuple[int, ...]) -> tuple[int, int, int]:
    return int(rng.integers(1, 10)), int(rng.integers(1, 10)), int(rng.choice(channels))


def _filter(rng: Rng, height: int, width: int) -> tuple[int, int, int, int, int, int, int, int, int]:
    """kernel, stride, dilation, padding and the output size that follows, redrawn until it is not empty."""
    while True:
        kernel_h, kernel_w = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        if rng.integers(0, 3) == 0:
            kernel_h = kernel_w = 1
        stride_h, stride_w = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        dilation_h, dilation_w = (int(d) for d in rng.choice([1, 1, 1, 2, 3], 2))
        padding = int(rng.choice([SAME, VALID]))
        out_h = _out_size(padding, height, kernel_h, stride_h, dilation_h)
        out_w = _out_size(padding, width, kernel_w, stride_w, dilation_w)
        if out_h > 0 and out_w > 0:
            return kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, padding, out_h, out_w


def conv_2d(rng: Rng) -> Network:
    h, w, c = _image(rng, (1, 2, 3, 4, 5, 8, 12, 16))
    kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, padding, out_h, out_w = _filter(rng, h, w)
    out_c = int(rng.integers(1, 12))
    input_scale, output_scale = rng.uniform(0.01, 0.1, 2).astype(np.float32)
    b = TfliteBuilder()
    x = b.input((1, h, w, c), input_scale, _zero_point(rng))
    constants, scales = _parameters(rng, b, input_scale, (out_c, kernel_h, kernel_w, c))
    if rng.integers(0, 6) == 0:
        output_scale = np.float32(input_scale * scales.max() * rng.uniform(0.2, 1.5))  # left shifts
    y = b.activation((1, out_h, out_w, out_c), output_scale, _zero_point(rng))
    b.op(
        "CONV_2D", [x, *constants], [y], padding=padding, strideH=stride_h, strideW=stride_w,
        dilationHFactor=dilation_h, dilationWFactor=dilation_w,
        fusedActivationFunction=int(rng.choice(ACTIVATIONS)),
    )  # fmt: skip
    return b.build([y]), [_int8(rng, (1, h, w, c))]


def depthwise_conv_2d(rng: Rng) -> Network:
    """Half of them 3x3 with stride 1 or 2 and an activation that saturates only, as most networks have them."""
    h, w, c = _image(rng, (1, 2, 3, 4, 5, 8, 11, 12))
    kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, padding, out_h, out_w = _filter(rng, h, w)
    multiplier = int(rng.choice([1, 1, 2, 3]))
    activation, zero_point = int(rng.choice(ACTIVATIONS)), _zero_point(rng)
    usual = rng.integers(0, 2) == 0
    if usual:
        h, w, c = int(rng.integers(3, 12)), int(rng.integers(3, 12)), int(rng.choice([4, 5, 8, 11, 12]))
        kernel_h = kernel_w = 3
        stride_h = stride_w = int(rng.integers(1, 3))
        dilation_h = dilation_w = multiplier = 1
        out_h, out_w = _out_size(padding, h, 3, stride_h, 1), _out_size(padding, w, 3, stride_w, 1)
        activation = int(rng.choice(ACTIVATIONS[:2]))
        zero_point = -128 if activation == ACTIVATIONS[1] else zero_point
    out_c = c * multiplier
    input_scale, output_scale = rng.uniform(0.01, 0.1, 2).astype(np.float32)
    b = TfliteBuilder()
    x = b.input((1, h, w, c), input_scale, _zero_point(rng))
    constants, _ = _parameters(rng, b, input_scale, (1, kernel_h, kernel_w, out_c), axis=3)
    y = b.activation((1, out_h, out_w, out_c), output_scale, zero_point)
    b.op(
        "DEPTHWISE_CONV_2D", [x, *constants], [y], padding=padding, strideH=stride_h, strideW=stride_w,
        depthMultiplier=multiplier, dilationHFactor=dilation_h, dilationWFactor=dilation_w,
        fusedActivationFunction=activation,
    )  # fmt: skip
    return b.build([y]), [_int8(rng, (1, h, w, c))]


def fully_connected(rng: Rng) -> Network:
    rows = int(rng.choice([1, 1, 1, 3]))
    in_dim, out_dim = int(rng.choice([1, 3, 4, 7, 64, 130, 1030])), int(rng.integers(1, 9))
    input_scale, output_scale = rng.uniform(0.01, 0.1, 2).astype(np.float32)
    b = TfliteBuilder()
    leading = (1,) if rows == 1 else (1, rows)
    x = b.input((*leading, in_dim), input_scale, _zero_point(rng))
    constants, scales = _parameters(rng, b, input_scale, (out_dim, in_dim), lowest=-128)
    if rng.integers(0, 8) == 0:
        output_scale = np.float32(input_scale * scales.max() * rng.uniform(0.2, 1.5))  # left shifts
    y = b.activation((*leading, out_dim), output_scale, _zero_point(rng))
    b.op(
        "FULLY_CONNECTED",
        [x, *constants],
        [y],
        keepNumDims=rows > 1,
        fusedActivationFunction=int(rng.choice(ACTIVATIONS)),
    )
    return b.build([y]), [_int8(rng, (*leading, in_dim))]


def add(rng: Rng) -> Network:
    """The input, and its average over neighbours, each moved to a scale of its own, and added."""
    shape = (1, *_image(rng, (1, 3, 8)))
    scales = rng.uniform(0.001, 0.1, 3).astype(np.float32)
    if rng.integers(0, 3) == 0:
        scales[:] = scales[0]
    b = TfliteBuilder()
    x = b.input(shape, 0.02, -3)
    smooth = b.activation(shape, 0.02, -3)
    first, second = (b.activation(shape, scale, _zero_point(rng)) for scale in scales[:2])
    y = b.activation(shape, scales[2], _zero_point(rng))
    b.op("AVERAGE_POOL_2D", [x], [smooth], padding=SAME, strideH=1, strideW=1, filterHeight=2, filterWidth=1)
    b.op("QUANTIZE", [x], [first])
    b.op("QUANTIZE", [smooth], [second])
    inputs = [first, second] if rng.integers(0, 2) else [second, first]
    activation = ACTIVATIONS[0] if rng.integers(0, 2) else int(rng.choice(ACTIVATIONS))
    b.op("ADD", inputs, [y], fusedActivationFunction=activation)
    return b.build([y]), [_int8(rng, shape)]


def _smaller(rng: Rng, b: TfliteBuilder, x: int, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """The input's averages: one per channel, per position, for all, or for each value."""
    kind = rng.integers(0, 5)
    if kind == 4:
        smooth = b.activation(shape, 0.02, -3)
        b.op("AVERAGE_POOL_2D", [x], [smooth], padding=SAME, strideH=1, strideW=1, filterHeight=2, filterWidth=1)
        return smooth, shape
    axes, small = [
        ((1, 2), (1, 1, 1, shape[3])), ((1, 2), (1, shape[3])), ((3,), (*shape[:3], 1)), ((1, 2, 3), (1, 1, 1, 1)),
    ][kind]  # fmt: skip
    mean = b.activation(small, 0.02, -3)
    b.op("MEAN", [x, b.constant(np.array(axes, np.int32))], [mean], keepDims=len(small) == 4)
    return mean, small


def _two_activations(rng: Rng, kind: str) -> Network:
    """The input and what _smaller makes of it, each moved to a scale of its own."""
    shape = (1, *_image(rng, (1, 3, 8)))
    scales = rng.uniform(0.01, 0.1, 3).astype(np.float32)
    if kind == "MUL":
        scales[2] = scales[0] * scales[1] * 10 ** rng.uniform(-0.5, 2.5)
    elif rng.integers(0, 3) == 0:
        scales[1:] = scales[0], 2 * scales[0]  # ties
    b = TfliteBuilder()
    x = b.input(shape, 0.02, -3)
    other, small = _smaller(rng, b, x, shape)
    first = b.activation(shape, scales[0], _zero_point(rng))
    second = b.activation(small, scales[1], _zero_point(rng))
    y = b.activation(shape, scales[2], _zero_point(rng))
    b.op("QUANTIZE", [x], [first])
    b.op("QUANTIZE", [other], [second])
    inputs = [first, second] if rng.integers(0, 2) else [second, first]
    activation = ACTIVATIONS[0] if rng.integers(0, 2) else int(rng.choice(ACTIVATIONS))
    b.op(kind, inputs, [y], fusedActivationFunction=activation)
    return b.build([y]), [_int8(rng, shape)]


def add_broadcast(rng: Rng) -> Network:
    return _two_activations(rng, "ADD")


def mul(rng: Rng) -> Network:
    return _two_activations(rng, "MUL")


def sub(rng: Rng) -> Network:
    return _two_activations(rng, "SUB")


def _with_constant(
    rng: Rng, b: TfliteBuilder, kind: str, x: int, shape: tuple[int, ...], scale: np.float32
) -> tuple[int, np.float32]:
    """An op with a constant of one value, or one per channel, per row, per position, or for each value."""
    sizes = [(), (1,), shape[-1:], (1, 1, *shape[-1:]), (1, shape[1], 1, 1), (*shape[1:3], 1), shape]
    values = _int8(rng, sizes[int(rng.choice([0, 1, 2, 2, 2, 3, 4, 5, 6]))])
    constant_scale = np.float32(scale * 10 ** rng.uniform(-1, 1))
    out_scale = np.float32(max(scale, constant_scale) * 10 ** rng.uniform(-0.7, 0.7))
    if kind == "MUL":
        constant_scale = np.float32(10 ** rng.uniform(-3, 0))
        out_scale = np.float32(scale * constant_scale * 10 ** rng.uniform(0, 2.5))
    constant = b.constant(values, constant_scale, zero_point=_zero_point(rng))
    y = b.activation(shape, out_scale, _zero_point(rng))
    inputs = [x, constant] if rng.integers(0, 3) else [constant, x]
    activation = ACTIVATIONS[0] if rng.integers(0, 3) else int(rng.choice(ACTIVATIONS))
    b.op(kind, inputs, [y], **({} if kind in ("MAXIMUM", "MINIMUM") else {"fusedActivationFunction": activation}))
    return y, out_scale


def _chain(rng: Rng, kinds: list[str]) -> Network:
    shape = (1, *_image(rng, (1, 3, 8)))
    scale = np.float32(rng.uniform(0.01, 0.1))
    b = TfliteBuilder()
    tensor = b.input(shape, scale, _zero_point(rng))
    for kind in kinds:
        tensor, scale = _with_constant(rng, b, kind, tensor, shape, scale)
    return b.build([tensor]), [_int8(rng, shape)]


def add_constant(rng: Rng) -> Network:
    return _chain(rng, ["ADD"])


def mul_constant(rng: Rng) -> Network:
    return _chain(rng, ["MUL"])


def sub_constant(rng: Rng) -> Network:
    return _chain(rng, ["SUB"])


def maximum_constant(rng: Rng) -> Network:
    return _chain(rng, ["MAXIMUM"])


def minimum_constant(rng: Rng) -> Network:
    return _chain(rng, ["MINIMUM"])


def prelu(rng: Rng) -> Network:
    shape = (1, *_image(rng, (1, 3, 8)))
    scale, slopes = (
        np.float32(rng.uniform(0.01, 0.1)),
        _int8(rng, (1, 1, shape[3]) if rng.integers(0, 3) else shape[1:]),
    )
    b = TfliteBuilder()
    x = b.input(shape, scale, _zero_point(rng))
    y = b.activation(shape, scale * 10 ** rng.uniform(-0.3, 0.3), _zero_point(rng))
    b.op("PRELU", [x, b.constant(slopes, 10 ** rng.uniform(-3, -1), zero_point=_zero_point(rng))], [y])
    return b.build([y]), [_int8(rng, shape)]


def chain_of_constants(rng: Rng) -> Network:
    return _chain(rng, [str(kind) for kind in rng.choice(["ADD", "MUL", "SUB", "MAXIMUM"], int(rng.integers(2, 5)))])


def normalization(rng: Rng) -> Network:
    """What the converter leaves of a BatchNormalization behind a ReLU: MUL and ADD with a constant per channel."""
    shape = (1, *_image(rng, (1, 3, 8, 12)))
    gamma = rng.uniform(0.3, 3, shape[3]) * rng.choice([1, 1, 1, -1], shape[3])
    beta = rng.normal(0, 1, shape[3])
    scales = [np.abs(values).max() / 127 for values in (gamma, beta)]
    b = TfliteBuilder()
    x = b.input(shape, 0.02, -128 if rng.integers(0, 2) else _zero_point(rng))
    middle = b.activation(shape, 0.02 * np.abs(gamma).max(), int(rng.integers(-128, 0)))
    y = b.activation(shape, 0.02 * np.abs(gamma).max() * rng.uniform(0.7, 1.5), int(rng.integers(-128, 0)))
    factors, offsets = (
        b.constant(np.round(values / scale).astype(np.int8), scale)
        for values, scale in zip((gamma, beta), scales, strict=True)
    )
    b.op("MUL", [x, factors], [middle])
    b.op("ADD", [middle, offsets], [y], fusedActivationFunction=int(rng.choice(ACTIVATIONS[:2])))
    return b.build([y]), [_int8(rng, shape)]


def _pool(rng: Rng, kind: str) -> Network:
    h, w, c = _image(rng, (1, 3, 4, 7, 8))
    kernel_h, kernel_w, stride_h, stride_w, _, _, padding, _, _ = _filter(rng, h, w)
    kernel_h, kernel_w = min(kernel_h, h), min(kernel_w, w)
    out_h, out_w = (_out_size(padding, *axis, 1) for axis in ((h, kernel_h, stride_h), (w, kernel_w, stride_w)))
    scale, zero_point = np.float32(rng.uniform(0.01, 0.1)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input((1, h, w, c), scale, zero_point)
    y = b.activation((1, out_h, out_w, c), scale, zero_point)
    b.op(
        kind, [x], [y], padding=padding, strideH=stride_h, strideW=stride_w, filterHeight=kernel_h,
        filterWidth=kernel_w, fusedActivationFunction=int(rng.choice(ACTIVATIONS)),
    )  # fmt: skip
    return b.build([y]), [_int8(rng, (1, h, w, c))]


def average_pool_2d(rng: Rng) -> Network:
    return _pool(rng, "AVERAGE_POOL_2D")


def max_pool_2d(rng: Rng) -> Network:
    return _pool(rng, "MAX_POOL_2D")


def mean(rng: Rng) -> Network:
    shape = (1, *_image(rng, (1, 3, 4, 7, 8)))
    if rng.integers(0, 4) == 0:
        shape = (1, int(rng.integers(16, 40)), 17, 5)  # more than 255 values
    axes = [(1, 2), (2, 1), (1,), (2,), (3,), (-1,), (2, 3), (1, 2, 3)][rng.integers(0, 8)]
    keep = bool(rng.integers(0, 2))
    positive = {axis % 4 for axis in axes}
    out_shape = tuple(1 if i in positive else s for i, s in enumerate(shape) if keep or i not in positive)
    scales = rng.uniform(0.01, 0.1, 2).astype(np.float32)
    b = TfliteBuilder()
    x = b.input(shape, scales[0], _zero_point(rng))
    axis = b.constant(np.array(axes, np.int32))
    y = b.activation(out_shape, scales[int(rng.integers(0, 2))], _zero_point(rng))
    b.op("MEAN", [x, axis], [y], keepDims=keep)
    return b.build([y]), [_int8(rng, shape)]


def reduce_max(rng: Rng) -> Network:
    shape = (1, *_image(rng, (1, 3, 4, 7, 8)))
    axes = [(1, 2), (2, 1), (1,), (2,), (3,), (-1,), (2, 3), (1, 2, 3)][rng.integers(0, 8)]
    keep = bool(rng.integers(0, 2))
    positive = {axis % 4 for axis in axes}
    out_shape = tuple(1 if i in positive else s for i, s in enumerate(shape) if keep or i not in positive)
    scale, zero_point = np.float32(rng.uniform(0.01, 0.1)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input(shape, scale, zero_point)
    y = b.activation(out_shape, scale, zero_point)
    b.op("REDUCE_MAX", [x, b.constant(np.array(axes, np.int32))], [y], keepDims=keep)
    return b.build([y]), [_int8(rng, shape)]


def resize_nearest_neighbor(rng: Rng) -> Network:
    """By whole factors, as UpSampling2D, and to any size."""
    h, w, c = _image(rng, (1, 3, 8))
    size = [h * int(rng.integers(1, 4)), w * int(rng.integers(1, 4))]
    if rng.integers(0, 2):
        size = [int(n) for n in rng.integers(1, 15, 2)]
    corners = rng.integers(0, 3) == 0
    scale, zero_point = np.float32(rng.uniform(0.01, 0.1)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input((1, h, w, c), scale, zero_point)
    y = b.activation((1, *size, c), scale, zero_point)
    b.op(
        "RESIZE_NEAREST_NEIGHBOR", [x, b.constant(np.array(size, np.int32))], [y], alignCorners=bool(corners),
        halfPixelCenters=bool(not corners and rng.integers(0, 2)),
    )  # fmt: skip
    return b.build([y]), [_int8(rng, (1, h, w, c))]


def softmax(rng: Rng) -> Network:
    shape = (1, int(rng.choice([1, 3])), int(rng.choice([1, 2, 10, 300])))
    b = TfliteBuilder()
    x = b.input(shape, np.float32(10 ** rng.uniform(-4, 1)), _zero_point(rng))
    y = b.activation(shape, 1 / 256, -128)
    b.op("SOFTMAX", [x], [y], beta=float(rng.choice([1.0, 0.5, 2.0])))
    data = _int8(rng, shape)
    if rng.integers(0, 2):
        data //= 16
    return b.build([y]), [data]


def pad(rng: Rng) -> Network:
    rank = int(rng.integers(1, 5))
    shape = (1, *(int(s) for s in rng.integers(1, 6, rank - 1)))
    pairs = rng.integers(0, 4, (rank, 2)).astype(np.int32)
    pairs[0] = 0
    out_shape = tuple(int(s + p.sum()) for s, p in zip(shape, pairs, strict=True))
    scale, zero_point = np.float32(rng.uniform(0.01, 0.1)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input(shape, scale, zero_point)
    padding = b.constant(pairs)
    y = b.activation(out_shape, scale, zero_point)
    b.op("PAD", [x, padding], [y])
    return b.build([y]), [_int8(rng, shape)]


def concatenation(rng: Rng) -> Network:
    """The input itself and padded copies of it."""
    shape = (1, *_image(rng, (1, 3, 8)))
    axis = int(rng.integers(1, 4))
    scale, zero_point = np.float32(rng.uniform(0.01, 0.1)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input(shape, scale, zero_point)
    inputs, total = [x], shape[axis]
    for _ in range(int(rng.integers(1, 4))):
        pairs = np.zeros((4, 2), np.int32)
        pairs[axis] = rng.integers(0, 4, 2)
        part = tuple(int(size + pair.sum()) for size, pair in zip(shape, pairs, strict=True))
        inputs.append(b.activation(part, scale, zero_point))
        b.op("PAD", [x, b.constant(pairs)], [inputs[-1]])
        total += part[axis]
    y = b.activation((*shape[:axis], total, *shape[axis + 1 :]), scale, zero_point)
    b.op("CONCATENATION", inputs, [y], axis=axis - (4 if rng.integers(0, 2) else 0))
    return b.build([y]), [_int8(rng, shape)]


def _every_value() -> NDArray[np.int8]:
    return np.arange(-128, 128).astype(np.int8).reshape(1, 256)


def _unary(rng: Rng, kind: str, output: tuple[Scale, int] | None, **options: float) -> Network:
    scale, zero_point = np.float32(10 ** rng.uniform(-4, 0)), _zero_point(rng)
    b = TfliteBuilder()
    x = b.input((1, 256), scale, zero_point)
    y = b.activation((1, 256), *(output or (scale, zero_point)))
    b.op(kind, [x], [y], **options)
    return b.build([y]), [_every_value()]


def leaky_relu(rng: Rng) -> Network:
    output = (np.float32(10 ** rng.uniform(-3, 0)), _zero_point(rng))
    return _unary(rng, "LEAKY_RELU", output, alpha=float(rng.choice([0.0, 0.1, 0.3, 1.5, rng.uniform(0, 1)])))


def hard_swish(rng: Rng) -> Network:
    scale = np.float32(10 ** rng.uniform(-3, 0.3))
    b = TfliteBuilder()
    x = b.input((1, 256), scale, _zero_point(rng))
    y = b.activation((1, 256), scale * np.float32(10 ** rng.uniform(-1, 0.5)), _zero_point(rng))
    b.op("HARD_SWISH", [x], [y])
    return b.build([y]), [_every_value()]


def logistic(rng: Rng) -> Network:
    return _unary(rng, "LOGISTIC", (1 / 256, -128))


def tanh(rng: Rng) -> Network:
    return _unary(rng, "TANH", (1 / 128, 0))


def relu(rng: Rng) -> Network:
    return _unary(rng, "RELU", (np.float32(10 ** rng.uniform(-3, 0)), _zero_point(rng)))


def relu6(rng: Rng) -> Network:
    return _unary(rng, "RELU6", None)


def quantize(rng: Rng) -> Network:
    return _unary(rng, "QUANTIZE", (np.float32(10 ** rng.uniform(-3, 0)), _zero_point(rng)))


def quantize_float(rng: Rng) -> Network:
    scale, zero_point = np.float32(rng.uniform(0.01, 0.2)), _zero_point(rng)
    data = (rng.integers(-600, 600, (1, 200)) / 2 * scale).astype(np.float32)  # ties, and saturation
    data[0, 100:] += rng.normal(0, 0.01, 100).astype(np.float32)
    b = TfliteBuilder()
    x = b.input((1, 200), dtype="float32")
    y = b.activation((1, 200), scale, zero_point)
    b.op("QUANTIZE", [x], [y])
    return b.build([y]), [data]


def dequantize(rng: Rng) -> Network:
    b = TfliteBuilder()
    x = b.input((1, 256), np.float32(10 ** rng.uniform(-4, 1)), _zero_point(rng))
    y = b.activation((1, 256), dtype="float32")
    b.op("DEQUANTIZE", [x], [y])
    return b.build([y]), [_every_value()]


def reshape(rng: Rng) -> Network:
    """Two lookups around a RESHAPE, so that something is computed."""
    h, w, c = _image(rng, (1, 3, 8))
    b = TfliteBuilder()
    x = b.input((1, h, w, c), 0.05, 3)
    middle = b.activation((1, h, w, c), 0.05, 3)
    shape = b.constant(np.array([1, h * w * c], np.int32))
    flat = b.activation((1, h * w * c), 0.05, 3)
    y = b.activation((1, h * w * c), 0.1, -5)
    b.op("RELU", [x], [middle])
    b.op("RESHAPE", [middle, shape], [flat], newShape=[1, h * w * c])
    b.op("QUANTIZE", [flat], [y])
    return b.build([y]), [_int8(rng, (1, h, w, c))]


NETWORKS: dict[str, Callable[[Rng], Network]] = {
    function.__name__: function
    for function in (
        add, add_broadcast, add_constant, average_pool_2d, chain_of_constants, concatenation, conv_2d,
        depthwise_conv_2d, dequantize, fully_connected, hard_swish, leaky_relu, logistic, max_pool_2d, maximum_constant,
        mean, minimum_constant, mul, mul_constant, normalization,
        pad, prelu, quantize, quantize_float, reduce_max, relu, relu6, reshape, resize_nearest_neighbor, softmax, sub,
        sub_constant, tanh,
    )
}  # fmt: skip
CASES = {
    "add": 60,
    "conv_2d": 120,
    "fully_connected": 80,
    "depthwise_conv_2d": 160,
    "mul": 40,
    "sub": 40,
} | dict.fromkeys(
    (
        "add_constant",
        "chain_of_constants",
        "hard_swish",
        "leaky_relu",
        "maximum_constant",
        "minimum_constant",
        "reduce_max",
        "sub_constant",
    ),
    12,
)
