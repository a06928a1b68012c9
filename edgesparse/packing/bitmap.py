"""A bit for every weight and the weights that are not zero: the fewest bytes at moderate sparsity.

Bytes: FORMAT.md, bitmap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Int8Array

__all__ = ["Bitmap", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class Bitmap:
    """Rows one after another: the bitmap of a row, then its weights that are not zero.

    The rest counts what a kernel's loops do: `entries` weights, `blocks` groups of 4 columns with a weight in them,
    and `bits` places looked at, where a byte of the bitmap ends with its highest bit set.
    """

    stream: Int8Array  # [bytes]
    entries: int
    blocks: int
    bits: int
    rows: int
    columns: int


def pack(weights: Int8Array) -> Bitmap:
    """Pack int8 weights [rows, columns]."""
    rows, columns = weights.shape
    keep = weights != 0
    masks = np.packbits(keep, axis=1, bitorder="little")
    stream = [part for mask, row, kept in zip(masks, weights, keep, strict=True) for part in (mask, row[kept])]
    values = np.concatenate([part.view(np.int8) for part in stream]) if stream else np.zeros(0, np.int8)
    nibbles = np.stack([masks & 15, masks >> 4])
    lengths = np.frexp(masks)[1]  # of a byte in bits, up to the highest that is set
    return Bitmap(values, int(keep.sum()), int(np.count_nonzero(nibbles)), int(lengths.sum()), rows, columns)


def unpack(packed: Bitmap) -> Int8Array:
    """The weights [rows, columns] again."""
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    size = (packed.columns + 7) // 8
    position = 0
    for row in weights:
        mask = packed.stream[position : position + size].view(np.uint8)
        keep = np.unpackbits(mask, count=packed.columns, bitorder="little").astype(np.bool_)
        position += size
        count = int(keep.sum())
        row[keep] = packed.stream[position : position + count]
        position += count
    return weights
