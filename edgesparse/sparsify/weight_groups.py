"""Weights that shrink, stay or go together: the units of a pattern, or whatever else an index describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.kernels import Kernel
from edgesparse.sparsify.patterns import Tiling

__all__ = ["GroupPart", "WeightGroups", "pattern_units", "single_weights"]

FloatVector = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GroupPart:
    """The part that groups have in one weight of a model.

    variable: a tf_keras weight. index: the group's number, -1 for none; per weight, in the shape of the variable, where
    axis is None, else per position along that axis.
    """

    variable: Any
    axis: int | None
    index: IntArray

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A value per group, as an array that broadcasts to the variable; 1 where there is no group."""
        placed = np.where(self.index >= 0, values[self.index], values.dtype.type(1))
        if self.axis is None:
            return placed
        shape = [1] * len(self.variable.shape)
        shape[self.axis] = len(placed)
        return placed.reshape(shape)

    def sums(self, values: npt.NDArray[Any], count: int) -> FloatVector:
        """The sum of values, in the shape of the variable, per group [count]."""
        if self.axis is not None:
            values = np.moveaxis(values, self.axis, 0).reshape(len(self.index), -1).sum(axis=1, dtype=np.float64)
        inside = self.index >= 0
        return np.bincount(self.index[inside], values[inside], minlength=count).astype(np.float64)


@dataclass(frozen=True, eq=False)
class WeightGroups:
    """Groups 0 to count - 1, which may lie in several weights of a model."""

    parts: tuple[GroupPart, ...]
    count: int

    def sizes(self) -> FloatVector:
        """Weights per group."""
        ones = [part.sums(np.ones(tuple(part.variable.shape)), self.count) for part in self.parts]
        return np.asarray(np.sum(ones, axis=0), np.float64)

    def norms(self) -> FloatVector:
        """Euclidean norm per group, now."""
        squares = [part.sums(np.square(part.variable.numpy().astype(np.float64)), self.count) for part in self.parts]
        return np.asarray(np.sqrt(np.sum(squares, axis=0)), np.float64)

    def scale(self, factors: npt.NDArray[np.float32]) -> None:
        """Multiply each group by its factor, in place."""
        for part in self.parts:
            part.variable.assign(part.variable.numpy() * part.spread(factors))


def pattern_units(kernel: Kernel, tiling: Tiling) -> WeightGroups:
    """The units of a pattern in a kernel that it fits; where groups have a limit (N:M), single weights."""
    shape = kernel.shape
    rows, width = shape[0], int(np.prod(shape[1:]))
    row, column = np.indices((rows, width), dtype=np.int64, sparse=True)
    numbers = row // tiling.rows * (width // tiling.columns) + column // tiling.columns
    index = np.ascontiguousarray(kernel.from_tflite(numbers.reshape(shape)))
    count = rows * width // (tiling.rows * tiling.columns)
    return WeightGroups((GroupPart(kernel.variable, None, index),), count)


def single_weights(kernel: Kernel) -> WeightGroups:
    """Every weight for itself."""
    return pattern_units(kernel, Tiling())
