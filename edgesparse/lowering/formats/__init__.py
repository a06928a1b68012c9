"""The weight formats, one module each."""

from __future__ import annotations

from edgesparse.lowering.formats.bitmap import BITMAP
from edgesparse.lowering.formats.block1x4 import BLOCK1X4
from edgesparse.lowering.formats.block2x4 import BLOCK2X4
from edgesparse.lowering.formats.columns import COLUMNS
from edgesparse.lowering.formats.delta4 import DELTA4
from edgesparse.lowering.formats.delta8 import DELTA8
from edgesparse.lowering.formats.dense import DENSE
from edgesparse.lowering.formats.format import WeightFormat

__all__ = ["CODE_BYTES", "CONV_2D_FORMATS", "FORMATS", "FORMATS_OF", "FULLY_CONNECTED_FORMATS", "WeightFormat"]

FORMATS: dict[str, WeightFormat] = {
    format.name: format for format in (DENSE, BLOCK1X4, BLOCK2X4, DELTA8, DELTA4, BITMAP, COLUMNS)
}
"""In the order in which ties are broken."""

CONV_2D_FORMATS = {name: format.conv_2d for name, format in FORMATS.items() if format.conv_2d}
FULLY_CONNECTED_FORMATS = {name: format.fully_connected for name, format in FORMATS.items() if format.fully_connected}

FORMATS_OF = {"CONV_2D": tuple(CONV_2D_FORMATS), "FULLY_CONNECTED": tuple(FULLY_CONNECTED_FORMATS)}
"""The weight formats of each op kind that has several."""

CODE_BYTES: dict[tuple[str, str], int] = {
    (kind, name): size
    for name, format in FORMATS.items()
    if name != "dense"
    for kind, size in format.code_bytes.items()
}
"""By op kind and format: flash that one more kernel costs beside the dense one."""
