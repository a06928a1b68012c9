"""Blocks of 4 columns and one row (block1x4) or two rows (block2x4) for fully connected layers.

Bytes: FORMAT.md, block1x4 and block2x4 of FULLY_CONNECTED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array
from edgesparse.packing import gaps, pairs

__all__ = ["GAP_UNIT", "LONGEST_GAP", "RowBlocks", "pack", "unpack"]

GAP_UNIT = 8
"""What a gap counts a block of columns as: the bytes that the kernel keeps of four inputs."""
LONGEST_GAP = 31
"""In blocks, so that its byte fits."""


@dataclass(frozen=True, eq=False)
class RowBlocks:
    """Kept blocks of all groups of `height` rows. `rows` and `columns` are before rounding up."""

    counts: npt.NDArray[np.uint16]  # [groups] blocks, fillers included
    gaps: npt.NDArray[np.uint8]  # [blocks] in units of GAP_UNIT
    values: Int8Array  # [blocks * height * 4]
    height: int
    rows: int
    columns: int


def pack(weights: Int8Array, height: int) -> RowBlocks:
    """Pack int8 weights [rows, columns]; a block stays where any of its weights is not zero.

    A block with a weight of -128 behind a negative one is stored as two in one place that add up to it.
    """
    rows, columns = weights.shape
    padded = np.pad(weights, ((0, -rows % height), (0, -columns % 4)))
    groups = -(-rows // height)
    blocks = padded.reshape(groups, height, padded.shape[1] // 4, 4).swapaxes(
        1, 2
    )  # [groups, blocks of columns, height, 4]
    entries = gaps.encode(np.any(blocks != 0, axis=(2, 3)), LONGEST_GAP)
    values = np.zeros((len(entries.gaps), height, 4), np.int8)
    real = entries.columns >= 0
    values[real] = blocks[entries.rows[real], entries.columns[real]]

    misfits = pairs.misfits(values)
    split = np.flatnonzero(np.any(misfits, axis=(1, 2)))
    rest = np.zeros_like(values)
    rest[..., 1::2] -= misfits.astype(np.int8)
    values = np.insert(values - rest, split + 1, rest[split], axis=0)
    distances = np.insert(entries.gaps * np.uint8(GAP_UNIT), split + 1, 0)
    counts = entries.counts + np.bincount(entries.rows[split], minlength=groups)
    if counts.size and counts.max() > gaps.MOST_ENTRIES:
        raise ModelError(f"a row has {counts.max()} packed blocks, at most {gaps.MOST_ENTRIES} fit; keep it dense")
    return RowBlocks(
        counts.astype(np.uint16),
        distances,
        pairs.encode(values).ravel(),
        height,
        rows,
        columns,
    )


def unpack(packed: RowBlocks) -> Int8Array:
    """The weights [rows, columns] again."""
    groups, height = len(packed.counts), packed.height
    entries = gaps.decode(packed.counts, packed.gaps // np.uint8(GAP_UNIT))
    values = pairs.decode(packed.values.reshape(-1, height, 4))
    blocks = np.zeros((groups, (packed.columns + 3) // 4, height, 4), np.int8)
    np.add.at(blocks, (entries.rows, entries.columns), values)
    rows = blocks.swapaxes(1, 2).reshape(groups * height, blocks.shape[1] * 4)
    return np.ascontiguousarray(rows[: packed.rows, : packed.columns])
