"""bitmap: a bit for each weight, and those that are no zero."""

from __future__ import annotations

from edgesparse.lowering.call import Array
from edgesparse.lowering.conv_2d_patches import BLOCKS, BYTES, Patches
from edgesparse.lowering.formats.format import (
    ConvFilters,
    ConvFormat,
    ConvPacking,
    FcFormat,
    FcLayer,
    FcPacking,
    WeightFormat,
)
from edgesparse.packing import bitmap

__all__ = ["BITMAP"]


def _conv_2d(filters: ConvFilters, patches: Patches) -> ConvPacking:
    """Its steps are the weights put into words for BLOCKS, else the bits that are looked at."""
    packed = bitmap.pack(filters.weights)
    stream = Array("weights", "int8_t", packed.stream, "weights")
    size = packed.rows * -(-packed.columns // 8)
    if patches is BLOCKS:
        return ConvPacking(stream, packed.rows, packed.blocks, {"bytes": size, "steps": packed.entries})
    return ConvPacking(stream, packed.rows, packed.entries, {"bytes": size, "steps": packed.bits})


def _fully_connected(layer: FcLayer, _variant: str) -> FcPacking:
    packed = bitmap.pack(layer.weights)
    work = {
        "rows": packed.rows,
        "bytes": packed.rows * -(-packed.columns // 8),
        "bits": packed.bits,
        "units": packed.entries,
    }
    return FcPacking("bitmap", layer.bias, Array("weights", "int8_t", packed.stream, "weights"), work)


BITMAP = WeightFormat(
    "bitmap",
    numbers={"bitmap": 5},
    conv_2d=ConvFormat(_conv_2d, {"dsp": BLOCKS, "portable": BYTES}, code_bytes=428),
    fully_connected=FcFormat(_fully_connected, {"bitmap": lambda _variant, _in_dim: 0}, code_bytes=260),
)
