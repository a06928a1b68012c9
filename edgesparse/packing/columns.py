"""Dense weights, input after input for four outputs at a time: what a kernel that skips zero inputs reads.

Bytes: FORMAT.md, columns of FULLY_CONNECTED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Int8Array

__all__ = ["Columns", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Weights [ceil(rows / 4)][columns][4]; rows that are missing in the last four are 0."""

    values: Int8Array  # [bytes]
    rows: int
    columns: int


def pack(weights: Int8Array) -> Columns:
    """Pack int8 weights [rows, columns]."""
    rows, columns = weights.shape
    fours = np.pad(weights, ((0, -rows % 4), (0, 0))).reshape(-1, 4, columns)
    return Columns(fours.swapaxes(1, 2).ravel(), rows, columns)


def unpack(packed: Columns) -> Int8Array:
    """The weights [rows, columns] again."""
    fours = packed.values.reshape(-1, packed.columns, 4).swapaxes(1, 2)
    return np.ascontiguousarray(fours.reshape(-1, packed.columns)[: packed.rows])
