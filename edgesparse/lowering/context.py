"""What a lowering function gets, and the checks and tables that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from edgesparse.boards import Core
from edgesparse.errors import UnsupportedError
from edgesparse.fixedpoint import quantize_multiplier
from edgesparse.graph import Graph, Int8Array, Int32Array, Op, Quantization, Tensor
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose import Policy
from edgesparse.lowering.kernels import Chosen, Refusals, choose_variant
from edgesparse.lowering.limits import REQUANTIZED_SUM
from edgesparse.lowering.shapes import padding_in_front

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
    zero point, where that was measured. `pairs`: by op, the op whose kernel call does its work too (channelwise).
    """

    graph: Graph
    core: Core
    op_index: int
    excluded: frozenset[tuple[str, str]]
    optimize: str = "latency"
    forced: str = ""
    zero_inputs: float | None = None
    pairs: Mapping[int, int] = field(default_factory=dict)

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

    def operand(self, position: int) -> Tensor:
        """An input, which is what the op's rule says (`gate.check`)."""
        return self.graph.input(self.op, position)

    def result(self) -> Tensor:
        """The output, of the shape that the op's rule says."""
        return self.graph.output(self.op)

    def weights(self) -> tuple[Tensor, Int8Array]:
        """The second input: constant int8 weights with zero points of 0."""
        tensor = self.operand(1)
        assert tensor.data is not None
        return tensor, tensor.data.astype(np.int8, copy=False)

    def bias(self, channels: int) -> Int32Array:
        """The third input: the int32 bias [channels]; zeros where the op has none."""
        tensor = self.graph.optional_input(self.op, 2)
        if tensor is None or tensor.data is None:
            return np.zeros(channels, np.int32)
        return tensor.data.astype(np.int32, copy=False).reshape(-1)


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


def window(size: int, out: int, kernel: int, stride: int, dilation: int) -> Window:
    """With the padding that TFLite computes from the sizes."""
    return Window(size, out, kernel, stride, dilation, padding_in_front(size, out, kernel, stride, dilation))


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
    input_scale: float, weights: Quantization, output_scale: float, *, float32_product: bool = False
) -> ChannelScales:
    """input_scale * weight_scale / output_scale for each channel, as TFLM's Prepare computes it.

    `float32_product`: FULLY_CONNECTED with one scale multiplies the two scales in float32.
    """
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
