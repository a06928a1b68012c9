"""Sparse filters of a convolution as streams that a kernel reads from front to back. Bytes: FORMAT.md.

A row's last block has the highest bit of its gap set, and a zero pair ends a row of single weights: there are no
counts and one pointer suffices, where the kernels in dsp/ have no register to spare for a second. An empty row holds
one entry of zeros.
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
_LONGEST_BLOCK_GAP = 127
_LAST = 128


@dataclass(frozen=True, eq=False)
class BlockStream:
    """1x4 blocks along a row. `columns` is before rounding up to 4.

    A gap is unit * (distance in blocks - 1) + 1 from block to block, unit * distance from block 0 to the first.
    """

    stream: Int8Array  # [bytes] per row: gap, four weights, gap, four weights, ...; the last gap | _LAST
    blocks: int  # fillers included
    unit: int
    rows: int
    columns: int


@dataclass(frozen=True, eq=False)
class DeltaStream:
    """Single weights with their distance from the one before, the first's from column 0."""

    pairs: npt.NDArray[np.uint16]  # per row: gap | value << 8, ..., 0
    entries: int  # fillers included
    rows: int
    columns: int


def pack_block1x4(weights: Int8Array, unit: int) -> BlockStream:
    """Pack int8 weights [rows, columns] (columns = kh * kw * in); unit in [1, 127]."""
    rows, columns = weights.shape
    blocks = np.pad(weights, ((0, 0), (0, -columns % 4))).reshape(rows, (columns + 3) // 4, 4)
    out = bytearray()
    count = 0
    for row in blocks:
        passed = 0  # in units, where the kernel's pointer stands
        for block in np.flatnonzero(np.any(row != 0, axis=1)) if row.any() else (0,):
            while unit * int(block) - passed > _LONGEST_BLOCK_GAP:  # a block of zeros on the way
                gap = (passed + _LONGEST_BLOCK_GAP) // unit * unit - passed
                out += bytes((gap, 0, 0, 0, 0))
                passed += gap + unit - 1
                count += 1
            gap = unit * int(block) - passed
            out.append(gap)
            out += row[block].tobytes()
            passed += gap + unit - 1
            count += 1
        out[-5] |= _LAST
    return BlockStream(np.frombuffer(bytes(out), np.int8), count, unit, rows, columns)


def unpack_block1x4(packed: BlockStream) -> Int8Array:
    """The weights [rows, columns] again."""
    blocks = np.zeros((packed.rows, (packed.columns + 3) // 4, 4), np.int8)
    position = 0
    gaps = packed.stream.view(np.uint8)
    for row in range(packed.rows):
        passed = 0
        while True:
            gap = int(gaps[position])
            passed += gap & ~_LAST
            blocks[row, passed // packed.unit] = packed.stream[position + 1 : position + 5]
            position += 5
            if gap & _LAST:
                break
            passed += packed.unit - 1
    return np.ascontiguousarray(blocks.reshape(packed.rows, blocks.shape[1] * 4)[:, : packed.columns])


def pack_delta8(weights: Int8Array) -> DeltaStream:
    """Pack int8 weights [rows, columns]."""
    out: list[int] = []
    for row in weights:
        passed = 0
        for column in np.flatnonzero(row) if row.any() else (0,):
            while int(column) - passed > _LONGEST_GAP:
                out.append(_LONGEST_GAP)
                passed += _LONGEST_GAP
            out.append((int(column) - passed) | (int(row[column]) & 0xFF) << 8)
            passed = int(column)
        out.append(0)
    return DeltaStream(np.array(out, np.uint16), len(out) - len(weights), *weights.shape)


def unpack_delta8(packed: DeltaStream) -> Int8Array:
    """The weights [rows, columns] again."""
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    position = 0
    pairs = packed.pairs.tolist()
    values = (packed.pairs >> 8).astype(np.uint8).view(np.int8)
    for row in range(packed.rows):
        column = 0
        while True:
            column += pairs[position] & 0xFF
            weights[row, column] = values[position]
            position += 1
            if pairs[position] == 0:
                break
        position += 1
    return weights
