"""What a lowering function gets, and the checks and tables that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.boards import Core
from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.fixedpoint import quantize_multiplier
from edgesparse.graph import Graph, Int8Array, Int32Array, Op, Quantization, Tensor
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose import Policy
from edgesparse.lowering.kernels import Chosen, Refusals, choose_variant
from edgesparse.lowering.limits import REQUANTIZED_SUM

__all__ = [
    "ChannelScales",
    "Context",
    "FoldedBias",
    "Lowering",
    "Window",
    "channel_scales",
    "fold_bias",
    "round_up",
    "window",
]


@dataclass(frozen=True, eq=False)
class Context:
    """One op to lower. `excluded` names (kind, format) pairs that do not pay for this network.

    `optimize` and `forced`: see Policy. `zero_inputs`: the share of the first input's values that were seen at its
    zero point, where that was measured.
    """

    graph: Graph
    core: Core
    op_index: int
    excluded: frozenset[tuple[str, str]]
    optimize: str = "latency"
    forced: str = ""
    zero_inputs: float | None = None

    @property
    def op(self) -> Op:
        """The op."""
        return self.graph.ops[self.op_index]

    @property
    def policy(self) -> Policy:
        """How this op's weight format is chosen."""
        excluded = frozenset(format for kind, format in self.excluded if kind == self.op.kind)
        return Policy(excluded, self.optimize, self.forced)

    def kernel(self, name: str, refusals: Refusals | None = None) -> Chosen:
        """The variant of a kernel that the op takes."""
        return choose_variant(self.core, name, refusals)

    @property
    def where(self) -> str:
        """How messages name the op."""
        return f"layer {self.op.name!r} ({self.op.kind})"

    def unsupported(self, what: str) -> UnsupportedError:
        """An error that names this op."""
        return UnsupportedError(f"{self.where}: {what}", (self.op.kind,))

    def activation(self, position: int) -> Tensor:
        """An int8 input with one scale."""
        return self._int8(self.graph.input(self.op, position), f"input {position}")

    def operand(self, position: int) -> Tensor:
        """An int8 input with one scale: an activation, or a constant."""
        tensor = self.graph.input(self.op, position)
        return self._quantized(tensor, f"input {position}")

    def result(self) -> Tensor:
        """The int8 output with one scale."""
        return self._int8(self.graph.output(self.op), "output")

    def constant(self, position: int) -> npt.NDArray[np.generic]:
        """The data of a constant input."""
        tensor = self.graph.input(self.op, position)
        if tensor.data is None:
            raise self.unsupported(f"input {position} ({tensor.name!r}) must be a constant")
        data: npt.NDArray[np.generic] = tensor.data
        return data

    def integers(self, position: int) -> tuple[int, ...]:
        """A constant input of integers, flattened."""
        data = self.constant(position)
        if not np.issubdtype(data.dtype, np.integer):
            raise self.unsupported(f"input {position} is {data.dtype}, expected integers; the file is damaged")
        return tuple(int(value) for value in np.asarray(data, np.int64).reshape(-1))

    def image(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """The four sizes of an image [n, h, w, c], or of filters."""
        if len(shape) != 4:
            raise self.unsupported(f"shape {shape}; expected four axes")
        return shape[0], shape[1], shape[2], shape[3]

    def elements(self) -> int:
        """How many values an op has that gives one for each value of its first input."""
        given, elements = self.graph.input(self.op, 0).elements, self.graph.output(self.op).elements
        if given != elements:
            raise self.unsupported(f"{given} values in and {elements} out, expected as many; the file is damaged")
        return elements

    def axes(self, position: int, rank: int) -> set[int]:
        """A constant input of axes of a tensor, counted from 0."""
        axes = self.integers(position)
        if any(not -rank <= axis < rank for axis in axes):
            raise self.unsupported(f"axes {list(axes)} of a tensor of {rank} axes; the file is damaged")
        return {axis % rank for axis in axes}

    def weights(self, position: int) -> tuple[Tensor, Int8Array]:
        """Constant int8 weights with zero points of 0."""
        tensor = self.graph.input(self.op, position)
        data = self.constant(position)
        if data.dtype != np.int8:
            raise self.unsupported(f"weights are {data.dtype}, expected int8; quantize the model to full int8")
        if np.any(tensor.quant.zero_points != 0):
            raise self.unsupported("weights have zero points, expected symmetric weights; convert the model again")
        return tensor, data.astype(np.int8, copy=False)

    def bias(self, position: int, channels: int) -> Int32Array:
        """The int32 bias [channels]; zeros where the op has none."""
        tensor = self.graph.optional_input(self.op, position)
        if tensor is None:
            return np.zeros(channels, np.int32)
        data = self.constant(position)
        if data.dtype != np.int32 or data.size != channels:
            raise self.unsupported(f"bias is {data.dtype} with {data.size} values, expected int32 with {channels}")
        return data.astype(np.int32, copy=False).reshape(-1)

    def same_quantization(self, first: Tensor, second: Tensor) -> None:
        """Raise where two tensors differ in scale or zero point."""
        a, b = first.quant, second.quant
        if a.scale != b.scale or a.zero_point != b.zero_point:
            raise self.unsupported(
                f"{first.name!r} and {second.name!r} are quantized differently "
                f"({a.scale:g}, {a.zero_point} and {b.scale:g}, {b.zero_point}); TFLite Micro refuses this too"
            )

    def _int8(self, tensor: Tensor, what: str) -> Tensor:
        if tensor.data is not None:
            raise self.unsupported(f"{what} is a constant; fold it before converting")
        return self._quantized(tensor, what)

    def _quantized(self, tensor: Tensor, what: str) -> Tensor:
        if tensor.dtype != np.int8:
            raise self.unsupported(f"{what} is {tensor.dtype}, expected int8; quantize the model to full int8")
        if len(tensor.shape) == 4 and max(tensor.shape) > 65535:
            raise self.unsupported(f"{what} has shape {tensor.shape}; kernels take at most 65535 along an axis")
        if tensor.quant.per_channel:
            raise self.unsupported(f"{what} has {len(tensor.quant.scales)} scales, expected one")
        return tensor


Lowering: TypeAlias = Callable[[Context], tuple[KernelCall, ...]]
"""One op to its kernel calls; empty where the output is its input's memory."""


def round_up(value: int, multiple: int = 4) -> int:
    """`value` rounded up to a multiple."""
    return -(-value // multiple) * multiple


@dataclass(frozen=True)
class Window:
    """How a filter moves over one axis of the image."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    pad: int  # in front


def window(padding: str, size: int, out: int, kernel: int, stride: int, dilation: int, where: str) -> Window:
    """TFLite's padding for SAME and VALID; ModelError where `out` is not the size that follows."""
    reach = (kernel - 1) * dilation + 1
    expected = -(-size // stride) if padding == "SAME" else -(-(size - reach + 1) // stride)
    if out != expected or out < 1:
        raise ModelError(
            f"{where}: an output axis is {out}, expected {expected} from {size} inputs with {padding} padding"
        )
    pad = max((out - 1) * stride + reach - size, 0) // 2
    return Window(size, out, kernel, stride, dilation, pad)


@dataclass(frozen=True, eq=False)
class ChannelScales:
    """Multipliers and shifts [channels], or [1] where all are equal."""

    multipliers: Int32Array
    shifts: Int8Array

    @property
    def per_channel(self) -> bool:
        """Whether there is one per channel."""
        return len(self.multipliers) > 1

    def spread(self, channels: int) -> ChannelScales:
        """The same with one for each channel."""
        shape = (channels,)
        return ChannelScales(np.broadcast_to(self.multipliers, shape), np.broadcast_to(self.shifts, shape))

    def fields(self) -> tuple[tuple[str, Array], ...]:
        """The struct fields `multipliers` and `shifts`."""
        return (
            ("multipliers", Array("multipliers", "int32_t", self.multipliers, "table")),
            ("shifts", Array("shifts", "int8_t", self.shifts, "table")),
        )


def channel_scales(
    input_scale: float, weights: Quantization, output_scale: float, channels: int, *, float32_product: bool = False
) -> ChannelScales:
    """input_scale * weight_scale / output_scale for each channel, as TFLM's Prepare computes it.

    `float32_product`: FULLY_CONNECTED with one scale multiplies the two scales in float32.
    """
    if len(weights.scales) not in (1, channels):
        raise ModelError(f"weights have {len(weights.scales)} scales for {channels} channels; the file is damaged")
    pairs = []
    for scale in weights.scales:
        if float32_product and not weights.per_channel:
            product = float(np.float32(input_scale) * np.float32(scale))
        else:
            product = input_scale * float(scale)
        pairs.append(quantize_multiplier(product / output_scale))
    if len(set(pairs)) == 1:
        pairs = pairs[:1]
    multipliers = np.array([multiplier for multiplier, _ in pairs], np.int32)
    return ChannelScales(multipliers, np.array([shift for _, shift in pairs], np.int8))


@dataclass(frozen=True, eq=False)
class FoldedBias:
    """The bias table. `bound`: no |sum| * 2^left of a channel is larger."""

    table: Array
    bound: int

    @property
    def refusals(self) -> Refusals:
        """Why variants do not take it: their requantization is exact for smaller sums only."""
        if self.bound < REQUANTIZED_SUM:
            return {}
        return {"dsp": f"a sum may reach {self.bound:,}, at most {REQUANTIZED_SUM - 1:,} is exact"}


def fold_bias(
    context: Context, bias: Int32Array, weights: Int8Array, input_zero_point: int, scales: ChannelScales
) -> FoldedBias:
    """bias - input_zero_point * sum(weights) for rows [channels, ...].

    Bounds every partial sum; UnsupportedError where one may leave int32, as the reference's would too.
    """
    rows = weights.reshape(len(bias), -1).astype(np.int64)
    folded = bias.astype(np.int64) - input_zero_point * rows.sum(axis=1)
    bound = np.abs(folded) + 128 * np.abs(rows).sum(axis=1)
    left = np.maximum(scales.shifts.astype(np.int64), 0)
    worst = int(np.max(bound)) if len(bound) else 0
    if worst >= 1 << 31:
        raise context.unsupported(f"a sum may reach {worst}, which does not fit int32; train with smaller weights")
    return FoldedBias(Array("bias", "int32_t", folded.astype(np.int32), "table"), int(np.max(bound << left, initial=0)))
