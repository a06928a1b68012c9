"""dense: every weight, in the order of the loops."""

from __future__ import annotations

from edgesparse.errors import ModelError
from edgesparse.lowering.call import Array
from edgesparse.lowering.context import round_up
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
from edgesparse.packing import dense, dense_fours
from edgesparse.variants import PORTABLE

__all__ = ["DENSE"]


def _conv_2d(filters: ConvFilters, _patches: Patches) -> ConvPacking:
    packed = dense.pack(filters.weights)
    return ConvPacking(Array("weights", "int8_t", packed.values, "weights"), packed.rows, len(packed.values) // 4)


def _fully_connected(layer: FcLayer, variant: str) -> FcPacking:
    """Falls back to the `wide` kernel, which takes everything."""
    outputs, blocks = layer.weights.shape[0], -(-layer.weights.shape[1] // 4)
    try:
        layer.check_pairs()
        packed = dense_fours.pack(layer.weights)
    except ModelError as error:
        rows = outputs if variant == PORTABLE else -(-outputs // 2)  # two share the loads of the input
        values = Array("weights", "int8_t", dense.pack(layer.weights).values, "weights")
        work = {**layer.expanded, "rows": rows, "units": rows * blocks}
        return FcPacking("wide", layer.bias, values, work, reason=f"wide kernel for {error}")
    fours, rest = divmod(outputs, 4)
    work = {**layer.expanded, "fours": fours, "fours of units": fours * blocks, "rows": rest, "units": rest * blocks}
    return FcPacking("dense", layer.bias_of_pairs, Array("weights", "int8_t", packed.values, "weights"), work)


DENSE = WeightFormat(
    "dense",
    numbers={"dense": 0, "wide": 7},
    conv_2d=ConvFormat(_conv_2d, {"dsp": BLOCKS, "portable": BYTES}),
    fully_connected=FcFormat(
        _fully_connected,
        {
            "dense": lambda _variant, in_dim: 2 * round_up(in_dim),
            "wide": lambda variant, in_dim: round_up(in_dim) * (1 if variant == PORTABLE else 2),
        },
    ),
)
