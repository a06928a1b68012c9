"""delta8: single weights, each with its distance to the one before in eight bits."""

from __future__ import annotations

from edgesparse.errors import ModelError
from edgesparse.lowering.call import Array
from edgesparse.lowering.conv_2d_patches import BYTES, PAIRS, Patches
from edgesparse.lowering.formats.format import (
    ConvFilters,
    ConvFormat,
    ConvPacking,
    FcFormat,
    FcLayer,
    FcPacking,
    WeightFormat,
)
from edgesparse.packing import row_delta8
from edgesparse.packing.filter_streams import pack_delta8

__all__ = ["DELTA8"]


def _conv_2d(filters: ConvFilters, patches: Patches) -> ConvPacking:
    if patches is PAIRS:
        filters.check_half_accumulators()
    packed = pack_delta8(filters.weights)
    return ConvPacking(Array("pairs", "uint16_t", packed.pairs, "weights"), packed.rows, packed.entries)


def _fully_connected(layer: FcLayer, _variant: str) -> FcPacking:
    if not layer.right_shifts_only:
        raise ModelError("a scale of 0.5 or more")
    packed = row_delta8.pack(layer.weights)
    return FcPacking(
        "delta8",
        layer.bias,
        Array("weights", "int8_t", packed.values, "weights"),
        {"rows": packed.rows, "units": len(packed.gaps)},
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
    )


DELTA8 = WeightFormat(
    "delta8",
    numbers={"delta8": 3},
    conv_2d=ConvFormat(_conv_2d, {"dsp": PAIRS, "portable": BYTES}, code_bytes=870),
    fully_connected=FcFormat(_fully_connected, {"delta8": lambda _variant, _in_dim: 0}, code_bytes=560),
)
