"""Single weights with 4-bit distances, two entries in three bytes, for convolutions.

Bytes: FORMAT.md, delta4 of CONV_2D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Int8Array
from edgesparse.packing import gaps

__all__ = ["Delta4", "pack", "unpack"]

_LONGEST_GAP = 15


@dataclass(frozen=True, eq=False)
class Delta4:
    """Rows one after another: the pairs of entries, then a zero."""

    stream: Int8Array  # [bytes]
    pairs: int  # fillers included
    rows: int
    columns: int


def pack(weights: Int8Array) -> Delta4:
    """Pack int8 weights [rows, columns]. A row without entries gets a pair of zeros, so that no row is empty."""
    entries = gaps.encode(weights != 0, _LONGEST_GAP)
    values = np.zeros(len(entries.gaps), np.int8)
    real = entries.columns >= 0
    values[real] = weights[entries.rows[real], entries.columns[real]]
    out = bytearray()
    start = 0
    for count in entries.counts.tolist():
        size = max(2, count + count % 2)
        distance, value = np.zeros(size, np.uint8), np.zeros(size, np.int8)
        distance[:count] = entries.gaps[start : start + count]
        value[:count] = values[start : start + count]
        start += count
        both = (distance[::2] | distance[1::2] << 4).view(np.int8)
        out += np.stack([both, value[::2], value[1::2]], axis=1).tobytes()
        out.append(0)
    pairs = (len(out) - len(weights)) // 3
    return Delta4(np.frombuffer(bytes(out), np.int8), pairs, *weights.shape)


def unpack(packed: Delta4) -> Int8Array:
    """The weights [rows, columns] again."""
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    data = packed.stream.view(np.uint8)
    position = 0
    for row in weights:
        column = 0
        while True:
            both = int(data[position])
            for distance, value in zip((both & 15, both >> 4), packed.stream[position + 1 : position + 3], strict=True):
                column += distance
                row[column] += value
            position += 3
            if data[position] == 0:
                break
        position += 1
    return weights
