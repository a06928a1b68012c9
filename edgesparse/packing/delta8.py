"""Single weights with 8-bit distances: for unstructured zeros. Bytes: FORMAT.md, delta8."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array
from edgesparse.packing import gaps

__all__ = ["Delta8", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class Delta8:
    """Nonzero weights of all rows, one after another."""

    counts: npt.NDArray[np.uint16]  # [rows] entries, fillers included
    pairs: npt.NDArray[np.uint16]  # [entries] gap | value << 8
    rows: int
    columns: int


def pack(weights: Int8Array) -> Delta8:
    """Pack int8 weights [rows, columns]."""
    entries = gaps.encode(weights != 0)
    values = np.zeros(len(entries.gaps), np.int8)
    real = entries.columns >= 0
    values[real] = weights[entries.rows[real], entries.columns[real]]
    pairs = entries.gaps.astype(np.uint16) | (values.view(np.uint8).astype(np.uint16) << np.uint16(8))
    return Delta8(entries.counts, pairs.astype(np.uint16), *weights.shape)


def unpack(packed: Delta8) -> Int8Array:
    """The weights [rows, columns] again."""
    distances = (packed.pairs & np.uint16(0xFF)).astype(np.uint8)
    values = (packed.pairs >> np.uint16(8)).astype(np.uint8).view(np.int8)
    entries = gaps.decode(packed.counts, distances)
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    real = values != 0
    weights[entries.rows[real], entries.columns[real]] = values[real]
    return weights
