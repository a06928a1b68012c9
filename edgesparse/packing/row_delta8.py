"""Single weights with 8-bit distances in arrays of their own, for fully connected layers.

Bytes: FORMAT.md, delta8 of FULLY_CONNECTED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Int8Array
from edgesparse.packing import gaps

__all__ = ["RowDelta8", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class RowDelta8:
    """Nonzero weights of all rows, one after another."""

    counts: npt.NDArray[np.uint16]  # [rows] entries, fillers included
    gaps: npt.NDArray[np.uint8]  # [entries]
    values: Int8Array  # [entries]
    rows: int
    columns: int


def pack(weights: Int8Array) -> RowDelta8:
    """Pack int8 weights [rows, columns]."""
    entries = gaps.encode(weights != 0)
    values = np.zeros(len(entries.gaps), np.int8)
    real = entries.columns >= 0
    values[real] = weights[entries.rows[real], entries.columns[real]]
    return RowDelta8(entries.counts, entries.gaps, values, *weights.shape)


def unpack(packed: RowDelta8) -> Int8Array:
    """The weights [rows, columns] again."""
    entries = gaps.decode(packed.counts, packed.gaps)
    weights = np.zeros((packed.rows, packed.columns), np.int8)
    weights[entries.rows, entries.columns] = packed.values
    return weights
