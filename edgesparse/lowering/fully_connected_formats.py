"""The weight formats of FULLY_CONNECTED, with the work of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from edgesparse.boards import Core
from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array, Int32Array
from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import Policy, select
from edgesparse.lowering.context import ChannelScales
from edgesparse.lowering.costs import Work, estimate
from edgesparse.packing import bitmap, columns, dense, dense_fours, pairs, row_blocks, row_delta8

__all__ = ["FULLY_CONNECTED_FORMATS", "FcChoice", "FcLayer", "choose_fully_connected"]

_MOST_COLUMNS = 1 << 16


@dataclass(frozen=True, eq=False)
class FcLayer:
    """What the formats need: weights [rows, columns], bias with the input's zero point folded in, scales."""

    weights: Int8Array
    bias: Int32Array
    scales: ChannelScales
    core: Core
    passes: int  # input rows
    clamped: bool = False  # whether the fused activation is narrower than int8
    input_zero_point: int = 0
    zero_inputs: float | None = None  # share of inputs at their zero point, where it was measured

    @property
    def right_shifts_only(self) -> bool:
        """What all kernels but `wide` need."""
        return bool(np.all(self.scales.shifts < 0))

    @property
    def sums_fit_pairs(self) -> bool:
        """Whether every output's |sum| stays under 2^23, whatever the input."""
        rows = self.weights.astype(np.int64)
        positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
        smallest = self.bias + -128 * positive + 127 * negative
        largest = self.bias + 127 * positive - 128 * negative
        return bool(np.all(smallest > -(1 << 23)) and np.all(largest < 1 << 23))

    @property
    def bias_of_pairs(self) -> Int32Array:
        """Where the sums of es_pairs.h start."""
        start = 256 * self.bias.astype(np.int64) - 127 * pairs.even_sums(self.weights).astype(np.int64)
        return ((start + (1 << 31)) % (1 << 32) - (1 << 31)).astype(np.int32)  # they wrap as the sums do

    @property
    def expanded(self) -> dict[str, float]:
        """The work of kernels that spread an input row to 16 bits first, four values at a time."""
        columns = self.weights.shape[1]
        return {"values": columns, "tails": columns % 4 > 0}

    def work(self, **amounts: float) -> Work:
        """Amounts for each input row, over all of them."""
        outputs = len(self.weights)
        each = {"passes": 1, **amounts}
        if self.clamped and self.core.has_dsp:
            each["clamped"] = outputs
        if self.scales.per_channel and self.core.has_dsp:
            each["scales"] = outputs
        return {name.replace("_", " "): self.passes * amount for name, amount in each.items()}


@dataclass(frozen=True, eq=False)
class FcChoice:
    """A packed layer. `kernel` completes es_fully_connected_<kernel>_s8."""

    format: str
    kernel: str
    bias: Int32Array
    weights: Array
    gaps: Array | None
    counts: Array | None
    work: Work
    instructions: int
    reason: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""
        return sum(array.values.nbytes for array in (self.weights, self.gaps, self.counts) if array is not None)


def _weights(values: Int8Array) -> Array:
    return Array("weights", "int8_t", values, "weights")


def _packed(
    layer: FcLayer, format: str, kernel: str, bias: Int32Array, arrays: tuple[Array, ...], work: Work, reason: str = ""
) -> FcChoice:
    instructions = estimate(layer.core, f"es_fully_connected_{kernel}_s8", work)
    weights, gaps, counts = (*arrays, None, None)[:3]
    assert weights is not None
    return FcChoice(format, kernel, bias, weights, gaps, counts, work, instructions, reason)


def _dense(layer: FcLayer) -> FcChoice:
    """Falls back to the `wide` kernel, which takes everything."""
    reason = None
    if not layer.right_shifts_only:
        reason = "a scale of 0.5 or more"
    elif not layer.sums_fit_pairs:
        reason = "sums of 2^23 and more"
    else:
        try:
            packed = dense_fours.pack(layer.weights)
        except ModelError as error:
            reason = str(error)
    outputs, blocks = layer.weights.shape[0], -(-layer.weights.shape[1] // 4)
    if reason is not None:
        rows = -(-outputs // 2) if layer.core.has_dsp else outputs  # two share the loads of the input
        work = layer.work(**layer.expanded, rows=rows, units=rows * blocks)
        values = _weights(dense.pack(layer.weights).values)
        return _packed(layer, "dense", "wide", layer.bias, (values,), work, f"wide kernel for {reason}")
    fours, rest = divmod(outputs, 4)
    work = layer.work(**layer.expanded, fours=fours, fours_of_units=fours * blocks, rows=rest, units=rest * blocks)
    return _packed(layer, "dense", "dense", layer.bias_of_pairs, (_weights(packed.values),), work)


def _blocks(layer: FcLayer, height: int) -> FcChoice:
    if not layer.right_shifts_only:
        raise ModelError("a scale of 0.5 or more")
    if not layer.sums_fit_pairs:
        raise ModelError("sums of 2^23 and more")
    packed = row_blocks.pack(layer.weights, height)
    name = f"block{height}x4"
    arrays = (
        _weights(packed.values),
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
    )
    work = layer.work(**layer.expanded, rows=len(packed.counts), units=len(packed.gaps))
    return _packed(layer, name, name, layer.bias_of_pairs, arrays, work)


def _delta8(layer: FcLayer) -> FcChoice:
    if not layer.right_shifts_only:
        raise ModelError("a scale of 0.5 or more")
    packed = row_delta8.pack(layer.weights)
    arrays = (
        _weights(packed.values),
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
    )
    work = layer.work(rows=packed.rows, units=len(packed.gaps))
    return _packed(layer, "delta8", "delta8", layer.bias, arrays, work)


def _bitmap(layer: FcLayer) -> FcChoice:
    packed = bitmap.pack(layer.weights)
    work = layer.work(
        rows=packed.rows, bytes=packed.rows * -(-packed.columns // 8), bits=packed.bits, units=packed.entries
    )
    return _packed(layer, "bitmap", "bitmap", layer.bias, (_weights(packed.stream),), work)


def _columns(layer: FcLayer) -> FcChoice:
    """Dense weights for inputs that are mostly zero, as behind a ReLU."""
    if layer.zero_inputs is None:
        raise ModelError("activation sparsity was not measured")
    outputs, inputs = layer.weights.shape
    if inputs > _MOST_COLUMNS:
        raise ModelError(f"{inputs} inputs, at most {_MOST_COLUMNS} have an index of 16 bits")
    packed = columns.pack(layer.weights)
    sums = layer.weights.astype(np.int64).sum(axis=1)
    bias = (layer.bias + layer.input_zero_point * sums).astype(np.int32)  # as the model has it
    found = inputs * (1 - layer.zero_inputs)
    fours = -(-outputs // 4)
    work = layer.work(values=inputs, found=found, rows=fours, units=fours * found, outputs=outputs)
    reason = f"columns: {100 * layer.zero_inputs:.0f} % of the inputs measured zero"
    return _packed(layer, "columns", "columns", bias, (_weights(packed.values),), work, reason)


FULLY_CONNECTED_FORMATS: dict[str, Callable[[FcLayer], FcChoice]] = {
    "dense": _dense,
    "block1x4": lambda layer: _blocks(layer, 1),
    "block2x4": lambda layer: _blocks(layer, 2),
    "delta8": _delta8,
    "bitmap": _bitmap,
    "columns": _columns,
}
"""Weight formats, in the order in which ties are broken."""


def choose_fully_connected(layer: FcLayer, policy: Policy) -> FcChoice:
    """Pack in the format that the policy prefers."""
    plain = FULLY_CONNECTED_FORMATS["dense"](layer)
    others = {name: partial(pack, layer) for name, pack in FULLY_CONNECTED_FORMATS.items() if name != "dense"}
    choice, reason = select(plain, others, policy, layer.weights)
    return replace(
        choice, reason="; ".join(filter(None, (reason, plain.reason, choice.reason if choice is not plain else "")))
    )
