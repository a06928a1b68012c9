"""What block1x4 and block2x4 of FULLY_CONNECTED share."""

from __future__ import annotations

from edgesparse.lowering.call import Array
from edgesparse.lowering.context import round_up
from edgesparse.lowering.formats.format import FcLayer, FcPacking
from edgesparse.packing import row_blocks

__all__ = ["pack_row_blocks", "row_blocks_scratch_bytes"]


def pack_row_blocks(layer: FcLayer, height: int) -> FcPacking:
    """Blocks of `height` outputs by four inputs. ModelError where the sums are too large for pairs."""
    layer.check_pairs()
    packed = row_blocks.pack(layer.weights, height)
    return FcPacking(
        f"block{height}x4",
        layer.bias_of_pairs,
        Array("weights", "int8_t", packed.values, "weights"),
        {**layer.expanded, "rows": len(packed.counts), "units": len(packed.gaps)},
        Array("gaps", "uint8_t", packed.gaps, "weights"),
        Array("counts", "uint16_t", packed.counts, "weights"),
    )


def row_blocks_scratch_bytes(_variant: str, in_dim: int) -> int:
    """The input row in 16 bits."""
    return 2 * round_up(in_dim)
