"""Dense rows in groups of four, block by block, for fully connected layers. Bytes: FORMAT.md, dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Int8Array
from edgesparse.packing import pairs

__all__ = ["DenseFours", "pack", "unpack"]


@dataclass(frozen=True, eq=False)
class DenseFours:
    """`columns` is before rounding up to 4."""

    values: Int8Array  # [rows * columns rounded up to 4]
    rows: int
    columns: int


def pack(weights: Int8Array) -> DenseFours:
    """Pack int8 weights [rows, columns]; ModelError where a pair of weights does not fit an int16."""
    rows, columns = weights.shape
    padded = np.pad(weights, ((0, 0), (0, -columns % 4)))
    misfits = int(np.count_nonzero(pairs.misfits(padded)))
    if misfits:
        raise ModelError(f"{misfits} weights of -128 stand behind a negative weight")
    encoded = pairs.encode(padded)
    together = rows // 4 * 4
    fours = encoded[:together].reshape(rows // 4, 4, padded.shape[1] // 4, 4).swapaxes(1, 2)
    return DenseFours(np.concatenate([fours.ravel(), encoded[together:].ravel()]), rows, columns)


def unpack(packed: DenseFours) -> Int8Array:
    """The weights [rows, columns] again."""
    stride = (packed.columns + 3) // 4 * 4
    together = packed.rows // 4 * 4
    fours = packed.values[: together * stride].reshape(packed.rows // 4, stride // 4, 4, 4).swapaxes(1, 2)
    rest = packed.values[together * stride :].reshape(packed.rows - together, stride)
    rows = np.concatenate([fours.reshape(together, stride), rest])
    return np.ascontiguousarray(pairs.decode(rows)[:, : packed.columns])
