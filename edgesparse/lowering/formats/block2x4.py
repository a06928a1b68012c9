"""block2x4: blocks of two outputs by four inputs, where one of the eight weights is no zero."""

from __future__ import annotations

from edgesparse.lowering.formats.format import FcFormat, WeightFormat
from edgesparse.lowering.formats.row_blocks import pack_row_blocks, row_blocks_scratch_bytes

__all__ = ["BLOCK2X4"]

BLOCK2X4 = WeightFormat(
    "block2x4",
    numbers={"block2x4": 2},
    fully_connected=FcFormat(
        lambda layer, _variant: pack_row_blocks(layer, 2), {"block2x4": row_blocks_scratch_bytes}, code_bytes=776
    ),
    block=(2, 4),
)
