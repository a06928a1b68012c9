"""Sparse filters of a convolution as streams that a kernel reads from front to back. Bytes: FORMAT.md.

Each row ends with a zero gap, so that there are no counts and one pointer suffices: the kernels in dsp/ have no
register to spare for a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array

__all__ = [
    "BlockStream",
    "DeltaStream",
    "pack_block1x4",
    "pack_delta8",
    "unpack_block1x4",
    "unpack_delta8",
]

_LONGEST_GAP = 255


@dataclass(frozen=True, eq=False)
class BlockStream:
    """1x4 blocks along a row; a gap is `unit` * blocks skipped + 1. `columns` is before rounding up to 4."""

    stream: Int8Array  # [bytes] per row: gap, four weights, gap, four weights, ..., 0
    blocks: int  # fillers included
    unit: int
    rows: int
    columns: int


@dataclass(frozen=True, eq=False)
class DeltaStream:
    """Single weights with their distance from the one before; the first counts from column -1."""

    pairs: npt.NDArray[np.uint16]  # per row: gap | value << 8, ..., 0
    entries: int  # fillers included
    rows: int
    columns: int


def pack_block1x4(weights: Int8Array, unit: int) -> BlockStream:
    """Pack int8 weights [rows, columns] (columns = kh * kw * in); unit in [1, 254]."""
    rows, columns = weights.shape
    blocks = np.pad(weights, ((0, 0), (0, -columns % 4))).reshape(rows, (columns + 3) // 4, 4)
    most = (_LONGEST_GAP - 1) // unit
    out = bytearray()
    count = 0
    for row in blocks:
        following = 0
        for block in np.flatnonzero(np.any(row != 0, axis=1)):
            skipped = int(block) - following
            while skipped > most:  # a block of zeros, behind as many skipped blocks as fit
                out += bytes((unit * most + 1, 0, 0, 0, 0))
                skipped -= most + 1
                count += 1
            out.append(unit * skipped + 1)
            out += row[block].tobytes()
            following = int(block) + 1
            count += 1
        out.append(0)
    return BlockStream(np.frombuffer(bytes(out), np.int8), count, unit, rows, columns)


def unpack_block1x4(packed: BlockStream) -> Int8Array:
    """The weights [rows, columns] again."""
    blocks = np.zeros((packed.rows, (packed.columns + 3) // 4, 4), np.int8)
    position = 0
    gaps = packed.stream.view(np.uint8)
    for row in range(packed.rows):
        following = 0
        while gaps[position] != 0:
            block = following + (int(gaps[position]) - 1) // packed.unit
            blocks[row, block] = packed.stream[position + 1 : position + 5]
            following = block + 1
            position += 5
        position += 1
    return np.ascontiguousarray(blocks.reshape(packed.rows, blocks.shape[1] * 4)[:, : packed.columns])


def pack_delta8(weights: Int8Array) -> DeltaStream:
    """Pack int8 weights [rows, columns]."""
    out: list[int] = []
    for row in weights:
        previous = -1
        for column in np.flatnonzero(row):
            gap = int(column) - previous
            while gap > _LONGEST_GAP:
                out.append(_LONGEST_GAP)
                gap -= _LONGEST_GAP
            out.append(gap | (int(row[column]) & 0xFF) << 8)
            previous = int(column)
        out.append(0)
    return DeltaStream(np.array(out, np.uint16), len(out) - len(weights), *weights.shape)


def unpack_delta8(packed: DeltaStream) -> Int8Array:
    """The weights [rows, columns] again."""
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    row, column = 0, -1
    for pair in packed.pairs.tolist():
        if pair == 0:
            row, column = row + 1, -1
            continue
        column += pair & 0xFF
        if pair >> 8:
            weights[row, column] = np.uint8(pair >> 8).astype(np.int8)
    return weights
