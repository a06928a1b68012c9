"""Which shape the output of an op has: what TFLite's Prepare functions compute from its inputs and options.

A rule raises ModelError, without naming the op, where inputs and options contradict each other or leave what TFLite
Micro's own structs hold. Sources: the Prepare of each op in tensorflow/lite/kernels, named at its rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import (
    ConcatenationOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Graph,
    MeanOptions,
    Op,
    Pool2DOptions,
    Tensor,
)

__all__ = [
    "Shape",
    "ShapeRule",
    "axes_of",
    "broadcast",
    "concatenated",
    "convolved",
    "depthwise_convolved",
    "fully_connected",
    "integers_of",
    "of_first_input",
    "padded",
    "padding_in_front",
    "pooled",
    "reduced",
    "reshaped",
    "resized",
]

Shape: TypeAlias = tuple[int, ...]
ShapeRule: TypeAlias = Callable[[Graph, Op], Shape]
"""The shape that the first output of an op must have."""

_LARGEST_STEP = 32767
"""Strides, dilations and padding are int16 in TFLite's ConvParams, DepthwiseParams and PaddingValues."""


def of_first_input(graph: Graph, op: Op) -> Shape:
    """One value for each value: activations.cc, quantize.cc, dequantize.cc."""
    return graph.input(op, 0).shape


def broadcast(graph: Graph, op: Op) -> Shape:
    """Axes from the last to the first, equal or 1: CalculateShapeForBroadcast of kernel_util.cc."""
    first, second = graph.input(op, 0).shape, graph.input(op, 1).shape
    try:
        return np.broadcast_shapes(first, second)
    except ValueError:
        raise ModelError(f"shapes {first} and {second} do not repeat to one") from None


def convolved(graph: Graph, op: Op) -> Shape:
    """Filters [out, kh, kw, in] on an image: conv.cc."""
    options = op.options
    assert isinstance(options, Conv2DOptions)
    batch, height, width, channels = _image(graph.input(op, 0))
    filters, kernel_h, kernel_w, depth = _image(graph.input(op, 1))
    if depth != channels:
        raise ModelError(f"filters of {depth} channels on {channels} (grouped convolution); use groups=1")
    _bias(graph, op, filters)
    rows = _windows(options.padding, height, kernel_h, options.stride_h, options.dilation_h)
    columns = _windows(options.padding, width, kernel_w, options.stride_w, options.dilation_w)
    return batch, rows, columns, filters


def depthwise_convolved(graph: Graph, op: Op) -> Shape:
    """Filters [1, kh, kw, out] on an image, depth_multiplier of them for each channel: depthwise_conv.cc."""
    options = op.options
    assert isinstance(options, DepthwiseConv2DOptions)
    batch, height, width, channels = _image(graph.input(op, 0))
    one, kernel_h, kernel_w, filters = _image(graph.input(op, 1))
    if one != 1 or filters != channels * options.depth_multiplier:
        raise ModelError(
            f"filters {graph.input(op, 1).shape}, expected {channels} * {options.depth_multiplier} in one group for"
            f" {channels} channels and a depth multiplier of {options.depth_multiplier}"
        )
    _bias(graph, op, filters)
    rows = _windows(options.padding, height, kernel_h, options.stride_h, options.dilation_h)
    columns = _windows(options.padding, width, kernel_w, options.stride_w, options.dilation_w)
    return batch, rows, columns, filters


def pooled(graph: Graph, op: Op) -> Shape:
    """A window on each channel: GenericPrepare of pooling.cc."""
    options = op.options
    assert isinstance(options, Pool2DOptions)
    batch, height, width, channels = _image(graph.input(op, 0))
    rows = _windows(options.padding, height, options.filter_h, options.stride_h, 1)
    columns = _windows(options.padding, width, options.filter_w, options.stride_w, 1)
    return batch, rows, columns, channels


def padding_in_front(size: int, out: int, kernel: int, stride: int, dilation: int) -> int:
    """The smaller half of what the windows of an axis reach beyond it: ComputePaddingWithOffset of padding.h."""
    reach = (kernel - 1) * dilation + 1
    return max((out - 1) * stride + reach - size, 0) // 2


def _windows(padding: str, size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows an axis has: ComputeOutSize of padding.h."""
    reach = (kernel - 1) * dilation + 1
    out = -(-size // stride) if padding == "SAME" else -(-(size - reach + 1) // stride)
    if out < 1:
        raise ModelError(f"a window of {reach} on an axis of {size} with {padding} padding; use a smaller one")
    pad = padding_in_front(size, out, kernel, stride, dilation)
    if max(stride, dilation, pad) > _LARGEST_STEP or kernel > 65535:
        raise ModelError(
            f"stride {stride}, dilation {dilation}, padding {pad} or size {kernel} of a window is too large; TFLite"
            f" Micro takes at most {_LARGEST_STEP}"
        )
    return out


def fully_connected(graph: Graph, op: Op) -> Shape:
    """Weights [out, in]; rows of in, or the input's own leading axes where they are kept: fully_connected.cc."""
    options = op.options
    assert isinstance(options, FullyConnectedOptions)
    source, weights = graph.input(op, 0), graph.input(op, 1)
    if len(weights.shape) != 2:
        raise ModelError(f"weights {weights.shape}; expected two axes, outputs and inputs")
    outputs, inputs = weights.shape
    rows, rest = divmod(source.elements, inputs)
    if rest or (options.keep_num_dims and source.shape[-1:] != (inputs,)):
        raise ModelError(f"input {source.shape} does not fit weights {weights.shape}")
    _bias(graph, op, outputs)
    return (*source.shape[:-1], outputs) if options.keep_num_dims else (rows, outputs)


def reduced(graph: Graph, op: Op) -> Shape:
    """Without the axes of the second input, or with 1 for each: ResizeOutputTensor of reduce.cc."""
    options = op.options
    assert isinstance(options, MeanOptions)
    shape = graph.input(op, 0).shape
    axes = axes_of(graph, op, 1, len(shape))
    return tuple(
        1 if axis in axes else size for axis, size in enumerate(shape) if options.keep_dims or axis not in axes
    )


def padded(graph: Graph, op: Op) -> Shape:
    """With what the second input [rank, 2] adds before and behind: ResizeOutputTensor of pad.cc."""
    shape, pairs = graph.input(op, 0).shape, graph.input(op, 1)
    values = integers_of(pairs)
    if pairs.shape != (len(shape), 2) or min(values) < 0:
        raise ModelError(f"padding {values} of shape {pairs.shape} for {shape}; expected two for each axis, 0 or more")
    return tuple(size + before + after for size, before, after in zip(shape, values[0::2], values[1::2], strict=True))


def concatenated(graph: Graph, op: Op) -> Shape:
    """Equal but for one axis, which adds up: concatenation.cc."""
    options = op.options
    assert isinstance(options, ConcatenationOptions)
    shapes = [graph.input(op, position).shape for position in range(len(op.inputs))]
    rank = len(shapes[0])
    if not -rank <= options.axis < rank:
        raise ModelError(f"axis {options.axis} of tensors of {rank} axes")
    axis = options.axis % rank
    others = {(*shape[:axis], 0, *shape[axis + 1 :]) for shape in shapes}
    if len(others) > 1 or any(len(shape) != rank for shape in shapes):
        raise ModelError(f"shapes {', '.join(map(str, shapes))} differ in more than axis {axis}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def resized(graph: Graph, op: Op) -> Shape:
    """Height and width as the second input [2] says: ResizeOutputTensor of resize_nearest_neighbor.cc."""
    batch, _, _, channels = _image(graph.input(op, 0))
    size = graph.input(op, 1)
    values = integers_of(size)
    if size.shape != (2,) or min(values) < 1:
        raise ModelError(f"size {values} of shape {size.shape}; expected height and width")
    return batch, values[0], values[1], channels


def reshaped(graph: Graph, op: Op) -> Shape:
    """As the second input says, with one -1 for what is left, or else as the file says: reshape.cc."""
    source, target = graph.input(op, 0), graph.output(op)
    wanted = graph.optional_input(op, 1)
    shape = target.shape
    if wanted is not None:
        values = integers_of(wanted)
        known = math.prod(value for value in values if value != -1)
        if len(wanted.shape) != 1 or values.count(-1) > 1 or min(values, default=1) < -1 or known == 0:
            raise ModelError(f"new shape {values}; expected sizes, at most one of them -1")
        shape = tuple(source.elements // known if value == -1 else value for value in values)
    if math.prod(shape) != source.elements:
        raise ModelError(f"{source.shape} does not reshape to {shape}")
    return shape


def axes_of(graph: Graph, op: Op, position: int, rank: int) -> frozenset[int]:
    """A constant input of axes of a tensor, counted from 0."""
    axes = integers_of(graph.input(op, position))
    if any(not -rank <= axis < rank for axis in axes):
        raise ModelError(f"axes {list(axes)} of a tensor of {rank} axes")
    return frozenset(axis % rank for axis in axes)


def integers_of(tensor: Tensor) -> tuple[int, ...]:
    """The values of a constant of integers, in one row."""
    assert tensor.data is not None
    return tuple(tensor.data.reshape(-1).tolist())


def _image(tensor: Tensor) -> tuple[int, int, int, int]:
    """The four sizes of an image [n, h, w, c], or of filters."""
    if len(tensor.shape) != 4:
        raise ModelError(f"shape {tensor.shape} of {tensor.name!r}; expected four axes")
    return tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _bias(graph: Graph, op: Op, channels: int) -> None:
    bias = graph.optional_input(op, 2)
    if bias is not None and bias.elements != channels:
        raise ModelError(f"a bias of {bias.elements} values, expected {channels}")
