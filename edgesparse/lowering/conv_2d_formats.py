"""The weight formats of CONV_2D, with the work of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from edgesparse.boards import Core
from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array, Int32Array
from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import Policy, select
from edgesparse.lowering.conv_2d_work import ConvImage
from edgesparse.lowering.costs import Work, estimate
from edgesparse.packing import bitmap, delta4, dense
from edgesparse.packing.filter_streams import pack_block1x4, pack_delta8

__all__ = ["CONV_2D_FORMATS", "ConvFilters", "ConvPacked", "choose_conv_2d"]

PAIR_SUM_LIMIT = 1 << 22
"""Two sums share an accumulator in dsp/: the lower one has 23 bits with its sign."""


@dataclass(frozen=True, eq=False)
class ConvFilters:
    """What is to be packed: weights [rows, columns], and the smallest and largest sum of each row with its bias."""

    weights: Int8Array
    smallest: Int32Array
    largest: Int32Array
    image: ConvImage

    @property
    def core(self) -> Core:
        """Whose kernels run."""
        return self.image.core


@dataclass(frozen=True, eq=False)
class ConvPacked:
    """A packed layer: the arrays of the struct fields weights and pairs (None where unused)."""

    format: str
    weights: Array | None
    pairs: Array | None
    work: Work
    instructions: int
    reason: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of weights with their indices."""
        return sum(array.values.nbytes for array in (self.weights, self.pairs) if array is not None)

    def fields(self) -> tuple[tuple[str, Array | None], ...]:
        """In the order of the C struct."""
        return (("weights", self.weights), ("pairs", self.pairs))


def _packed(filters: ConvFilters, format: str, array: Array, rows: int, units: int, **more: float) -> ConvPacked:
    work = filters.image.work(format, rows, units, **more)
    instructions = estimate(filters.core, f"es_conv_2d_{format}_s8", work)
    weights, pairs = (None, array) if array.suffix == "pairs" else (array, None)
    return ConvPacked(format, weights, pairs, work, instructions)


def _dense(filters: ConvFilters) -> ConvPacked:
    packed = dense.pack(filters.weights)
    values = Array("weights", "int8_t", packed.values, "weights")
    return _packed(filters, "dense", values, packed.rows, len(packed.values) // 4)


def _block1x4(filters: ConvFilters) -> ConvPacked:
    packed = pack_block1x4(filters.weights, unit=3 if filters.core.has_dsp else 1)
    stream = Array("weights", "int8_t", packed.stream, "weights")
    return _packed(filters, "block1x4", stream, packed.rows, packed.blocks)


def _check_pair_sums(filters: ConvFilters) -> None:
    """ModelError where the sums of two pixels do not fit one accumulator."""
    if filters.core.has_dsp:
        worst = max(int(filters.largest.max(initial=0)), -1 - int(filters.smallest.min(initial=0)))
        if worst >= PAIR_SUM_LIMIT:
            raise ModelError(f"a sum may reach {worst}, at most {PAIR_SUM_LIMIT - 1} fits half an accumulator")


def _delta8(filters: ConvFilters) -> ConvPacked:
    _check_pair_sums(filters)
    packed = pack_delta8(filters.weights)
    pairs = Array("pairs", "uint16_t", packed.pairs, "weights")
    return _packed(filters, "delta8", pairs, packed.rows, packed.entries)


def _delta4(filters: ConvFilters) -> ConvPacked:
    _check_pair_sums(filters)
    packed = delta4.pack(filters.weights)
    stream = Array("weights", "int8_t", packed.stream, "weights")
    return _packed(filters, "delta4", stream, packed.rows, packed.pairs)


def _bitmap(filters: ConvFilters) -> ConvPacked:
    """Its steps are the weights put into words in dsp/, the bits that are looked at in portable/."""
    packed = bitmap.pack(filters.weights)
    stream = Array("weights", "int8_t", packed.stream, "weights")
    size = packed.rows * -(-packed.columns // 8)
    if filters.core.has_dsp:
        return _packed(filters, "bitmap", stream, packed.rows, packed.blocks, bytes=size, steps=packed.entries)
    return _packed(filters, "bitmap", stream, packed.rows, packed.entries, bytes=size, steps=packed.bits)


CONV_2D_FORMATS: dict[str, Callable[[ConvFilters], ConvPacked]] = {
    "dense": _dense,
    "block1x4": _block1x4,
    "delta8": _delta8,
    "delta4": _delta4,
    "bitmap": _bitmap,
}
"""Weight formats, in the order in which ties are broken."""


def choose_conv_2d(filters: ConvFilters, policy: Policy) -> ConvPacked:
    """Pack filters in the format that the policy prefers."""
    plain = CONV_2D_FORMATS["dense"](filters)
    others = {name: partial(pack, filters) for name, pack in CONV_2D_FORMATS.items() if name != "dense"}
    choice, reason = select(plain, others, policy, filters.weights)
    return replace(choice, reason=reason)
