"""delta4: single weights, each with its distance to the one before in four bits."""

from __future__ import annotations

from edgesparse.lowering.call import Array
from edgesparse.lowering.conv_2d_patches import BYTES, PAIRS, Patches
from edgesparse.lowering.formats.format import ConvFilters, ConvFormat, ConvPacking, WeightFormat
from edgesparse.packing import delta4

__all__ = ["DELTA4"]


def _conv_2d(filters: ConvFilters, patches: Patches) -> ConvPacking:
    if patches is PAIRS:
        filters.check_half_accumulators()
    packed = delta4.pack(filters.weights)
    return ConvPacking(Array("weights", "int8_t", packed.stream, "weights"), packed.rows, packed.pairs)


DELTA4 = WeightFormat(
    "delta4",
    numbers={"delta4": 4},
    conv_2d=ConvFormat(_conv_2d, {"dsp": PAIRS, "portable": BYTES}, code_bytes=906),
)
