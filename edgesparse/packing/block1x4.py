"""1x4 blocks along a row; a block stays where any of its four weights is not zero. Bytes: FORMAT.md, block1x4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array
from edgesparse.packing import gaps

__all__ = ["Block1x4", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class Block1x4:
    """Kept blocks of all rows, one after another. `columns` is before rounding up to 4."""

    counts: npt.NDArray[np.uint16]  # [rows] blocks, fillers included
    gaps: npt.NDArray[np.uint8]  # [blocks] in blocks
    values: Int8Array  # [blocks * 4]
    rows: int
    columns: int


def pack(weights: Int8Array) -> Block1x4:
    """Pack int8 weights [rows, columns] (columns = kh * kw * in for convolutions)."""
    rows, columns = weights.shape
    blocks = np.pad(weights, ((0, 0), (0, -columns % 4))).reshape(rows, (columns + 3) // 4, 4)
    entries = gaps.encode(np.any(blocks != 0, axis=2))
    values = np.zeros((len(entries.gaps), 4), np.int8)
    real = entries.columns >= 0
    values[real] = blocks[entries.rows[real], entries.columns[real]]
    return Block1x4(entries.counts, entries.gaps, values.reshape(-1), rows, columns)


def unpack(packed: Block1x4) -> Int8Array:
    """The weights [rows, columns] again."""
    entries = gaps.decode(packed.counts, packed.gaps)
    blocks = np.zeros((packed.rows, (packed.columns + 3) // 4, 4), np.int8)
    values = packed.values.reshape(-1, 4)
    real = np.any(values != 0, axis=1)
    blocks[entries.rows[real], entries.columns[real]] = values[real]
    return np.ascontiguousarray(blocks.reshape(packed.rows, blocks.shape[1] * 4)[:, : packed.columns])
