"""Weights as they are, each row padded with zeros to a multiple of 4. Bytes: FORMAT.md, dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Int8Array

__all__ = ["Dense", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class Dense:
    """Rows of `columns` weights; a row takes `stride` bytes."""

    values: Int8Array  # [rows * stride]
    rows: int
    columns: int

    @property
    def stride(self) -> int:
        """Bytes of a row: columns rounded up to 4."""
        return (self.columns + 3) // 4 * 4


def pack(weights: Int8Array) -> Dense:
    """Pack int8 weights [rows, columns]."""
    rows, columns = weights.shape
    padded = np.pad(weights, ((0, 0), (0, -columns % 4)))
    return Dense(padded.ravel(), rows, columns)


def unpack(packed: Dense) -> Int8Array:
    """The weights [rows, columns] again."""
    rows = packed.values.reshape(packed.rows, packed.stride)
    return np.ascontiguousarray(rows[:, : packed.columns])
