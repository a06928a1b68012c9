"""block1x4: blocks of four weights along the input, where one of them is no zero."""

from __future__ import annotations

from edgesparse.lowering.call import Array
from edgesparse.lowering.conv_2d_patches import BLOCKS, BYTES, Patches
from edgesparse.lowering.formats.format import ConvFilters, ConvFormat, ConvPacking, FcFormat, WeightFormat
from edgesparse.lowering.formats.row_blocks import pack_row_blocks, row_blocks_scratch_bytes
from edgesparse.packing.filter_streams import pack_block1x4

__all__ = ["BLOCK1X4"]


def _conv_2d(filters: ConvFilters, patches: Patches) -> ConvPacking:
    """Gaps are counted in blocks of a patch; of the six pixels of BLOCKS, in a third of what these take."""
    packed = pack_block1x4(filters.weights, unit=3 if patches is BLOCKS else 1)
    return ConvPacking(Array("weights", "int8_t", packed.stream, "weights"), packed.rows, packed.blocks)


BLOCK1X4 = WeightFormat(
    "block1x4",
    numbers={"block1x4": 1},
    conv_2d=ConvFormat(_conv_2d, {"dsp": BLOCKS, "portable": BYTES}, code_bytes=468),
    fully_connected=FcFormat(
        lambda layer, _variant: pack_row_blocks(layer, 1), {"block1x4": row_blocks_scratch_bytes}, code_bytes=624
    ),
    block=(1, 4),
)
