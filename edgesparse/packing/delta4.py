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
    """Rows one after another: the number of pairs, then the pairs of entries."""

    stream: Int8Array  # [bytes]
    pairs: int  # fillers included
    rows: int
    columns: int


def pack(weights: Int8Array) -> Delta4:
    """Pack int8 weights [rows, columns]; ModelError where a row has more than 65535 entries."""
    entries = gaps.encode(weights != 0, _LONGEST_GAP)
    values = np.zeros(len(entries.gaps), np.int8)
    real = entries.columns >= 0
    values[real] = weights[entries.rows[real], entries.columns[real]]
    out = bytearray()
    start = 0
    for count in entries.counts.tolist():
        distance = np.zeros(count + count % 2, np.uint8)
        value = np.zeros(count + count % 2, np.int8)
        distance[:count] = entries.gaps[start : start + count]
        value[:count] = values[start : start + count]
        start += count
        out += (len(value) // 2).to_bytes(2, "little")
        both = (distance[::2] | distance[1::2] << 4).view(np.int8)
        out += np.stack([both, value[::2], value[1::2]], axis=1).tobytes()
    pairs = (len(out) - 2 * len(weights)) // 3
    return Delta4(np.frombuffer(bytes(out), np.int8), pairs, *weights.shape)


def unpack(packed: Delta4) -> Int8Array:
    """The weights [rows, columns] again."""
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    data = packed.stream.view(np.uint8)
    position = 0
    for row in weights:
        count = int(data[position]) | int(data[position + 1]) << 8
        triples = packed.stream[position + 2 : position + 2 + 3 * count].reshape(count, 3)
        position += 2 + 3 * count
        both = triples[:, 0].view(np.uint8) if count else np.zeros(0, np.uint8)
        columns = np.cumsum(np.stack([both & 15, both >> 4], axis=1).reshape(-1), dtype=np.int64)
        np.add.at(row, columns, triples[:, 1:].reshape(-1))
    return weights
