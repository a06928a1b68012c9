"""What a weight format is: one record, which all that know formats read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgesparse.boards import Core
from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array, Int32Array
from edgesparse.lowering.call import Array
from edgesparse.lowering.context import ChannelScales
from edgesparse.lowering.conv_2d_patches import ConvImage, Patches
from edgesparse.lowering.costs import Work
from edgesparse.lowering.kernels import Refusals
from edgesparse.lowering.limits import HALF_ACCUMULATOR_SUM, PAIR_SUM
from edgesparse.packing import pairs

__all__ = ["ConvFilters", "ConvFormat", "ConvPacking", "FcFormat", "FcLayer", "FcPacking", "WeightFormat"]


@dataclass(frozen=True, eq=False)
class ConvFilters:
    """What is to be packed: weights [rows, columns], and the smallest and largest sum of each row with its bias.

    `refusals`: variants whose limits the layer does not keep, in whatever format.
    """

    weights: Int8Array
    smallest: Int32Array
    largest: Int32Array
    core: Core
    image: ConvImage
    refusals: Refusals = field(default_factory=dict)

    def check_half_accumulators(self) -> None:
        """ModelError where the sums of two pixels do not fit one accumulator."""
        worst = max(int(self.largest.max(initial=0)), -1 - int(self.smallest.min(initial=0)))
        if worst >= HALF_ACCUMULATOR_SUM:
            raise ModelError(f"a sum may reach {worst}, at most {HALF_ACCUMULATOR_SUM - 1} fits half an accumulator")


@dataclass(frozen=True, eq=False)
class ConvPacking:
    """Packed filters. `rows`, `units`, `more`: what a kernel's loop over them counts (ConvImage.work)."""

    array: Array  # suffix "weights" or "pairs": the struct field that it is
    rows: int
    units: int
    more: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ConvFormat:
    """A format in CONV_2D.

    `patches`: how the kernel of each variant gathers them. `pack`: for one of these; ModelError where such kernels do
    not take the filters. `code_bytes`: flash of a kernel beside the dense one, with what it alone needs (gcc 12, -O2,
    Cortex-M4).
    """

    pack: Callable[[ConvFilters, Patches], ConvPacking]
    patches: Mapping[str, Patches]
    code_bytes: int = 0


@dataclass(frozen=True, eq=False)
class FcLayer:
    """What the formats need: weights [rows, columns], bias with the input's zero point folded in, scales.

    `refusals`: variants whose limits the layer does not keep, in whatever format.
    """

    weights: Int8Array
    bias: Int32Array
    scales: ChannelScales
    core: Core
    passes: int  # input rows
    clamped: bool = False  # whether the fused activation is narrower than int8
    input_zero_point: int = 0
    zero_inputs: float | None = None  # share of inputs at their zero point, where it was measured
    refusals: Refusals = field(default_factory=dict)

    @property
    def right_shifts_only(self) -> bool:
        """What all kernels but `wide` need."""
        return bool(np.all(self.scales.shifts < 0))

    @cached_property
    def largest_sum(self) -> int:
        """The largest |sum| of an output that int8 inputs can give."""
        rows = self.weights.astype(np.int64)
        positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
        smallest = self.bias + -128 * positive + 127 * negative
        largest = self.bias + 127 * positive - 128 * negative
        return int(max(largest.max(initial=0), -smallest.min(initial=0)))

    def check_pairs(self) -> None:
        """ModelError where the kernels with pairs (es_pairs.h) do not take the layer."""
        if not self.right_shifts_only:
            raise ModelError("a scale of 0.5 or more")
        if self.largest_sum >= PAIR_SUM:
            raise ModelError(f"sums of 2^23 and more: up to {self.largest_sum:,}")

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

    def work(self, amounts: Mapping[str, float]) -> Work:
        """Amounts for each input row, over all of them."""
        outputs = len(self.weights)
        each = {"passes": 1, **amounts}
        if self.clamped:
            each["clamped"] = outputs
        if self.scales.per_channel:
            each["scales"] = outputs
        return {name: self.passes * amount for name, amount in each.items()}


@dataclass(frozen=True, eq=False)
class FcPacking:
    """A packed layer. `kernel` completes es_fully_connected_<kernel>_s8; `work`: its amounts for each input row."""

    kernel: str
    bias: Int32Array
    weights: Array
    work: Mapping[str, float]
    gaps: Array | None = None
    counts: Array | None = None
    reason: str = ""


@dataclass(frozen=True)
class FcFormat:
    """A format in FULLY_CONNECTED.

    `pack`: for a variant; ModelError where no kernel takes the layer. `scratch_bytes`: of each kernel, by variant and
    inputs, as es_fully_connected.h has it. `code_bytes`: as in ConvFormat.
    """

    pack: Callable[[FcLayer, str], FcPacking]
    scratch_bytes: Mapping[str, Callable[[str, int], int]]
    code_bytes: int = 0


@dataclass(frozen=True)
class WeightFormat:
    """A weight format: bytes in FORMAT.md.

    `numbers`: byte 1 of the custom options (FORMAT.md) by the kernel that reads the bytes. `block`: the pattern of
    zeros that it is measured with; `skips_inputs`: whether zeros among the inputs count instead.
    """

    name: str
    numbers: Mapping[str, int]
    conv_2d: ConvFormat | None = None
    fully_connected: FcFormat | None = None
    block: tuple[int, int] = (1, 1)
    skips_inputs: bool = False

    @property
    def code_bytes(self) -> dict[str, int]:
        """Flash of its kernel by op kind."""
        ops = {"CONV_2D": self.conv_2d, "FULLY_CONNECTED": self.fully_connected}
        return {kind: op.code_bytes for kind, op in ops.items() if op is not None}
