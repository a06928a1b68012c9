"""Sparsity patterns: which weights of a kernel go first.

A pattern cuts a kernel into units of `unit` neighbouring weights that stay or go together.

    block1x4 along the input channels, one filter position:

        in   0 1 2 3   4 5 6 7   8 9 10 11
            [x x x x] [. . . .] [x x x  x ]

    block2x4: the same for two neighbouring outputs together

        out 0   [x x x x] [. . . .] [x x x  x ]
        out 1   [x x x x] [. . . .] [x x x  x ]

    block4x1, four neighbouring outputs, one input: what XNNPACK's sparse kernels on phones take at a time

        out 0   [x] [.] [x]
        out 1   [x] [.] [x]
        out 2   [x] [.] [x]
        out 3   [x] [.] [x]

    nm=2:4 along the input channels: 2 of each 4 stay

            [x . . x] [. x x .] [x x .  . ]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.settings import parse_n_of_m

__all__ = [
    "PATTERNS",
    "Block1x4",
    "Block2x4",
    "Block4x1",
    "NOfM",
    "Pattern",
    "Tiling",
    "Unstructured",
    "pattern_named",
    "zeros_for",
]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tiling:
    """How a pattern cuts a kernel, flattened to [out, kh * kw * in], into aligned units.

    A unit is `columns` neighbouring weights of each of `rows` neighbouring outputs. Of every `group` neighbouring units
    at most `removable` may go.
    """

    rows: int = 1
    columns: int = 1
    group: int = 1
    removable: int = 1


class Pattern(Protocol):
    """A rule that says which weights can be removed together."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def unit(self) -> int:
        """Weights that are removed together."""

    @property
    def tiling(self) -> Tiling:
        """The same for methods that score units by more than their magnitude."""

    def fits(self, shape: tuple[int, ...], /) -> str | None:
        """None when a kernel of this shape (out, ..., in) can take the pattern, else why not."""

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """Which weights stay: bool of the shape of `weights`, (out, ..., in).

        Removes the units of least magnitude, ceil(sparsity * units) of them; of equal ones, the first in memory order.
        """


def zeros_for(weights: int, sparsity: float, unit: int) -> int:
    """Number of zeros for a sparsity: ceil(sparsity * weights), rounded up to whole units."""
    # A sparsity that was computed as zeros / weights must give back the same zeros.
    exact = math.ceil(round(sparsity * weights, 6))
    return math.ceil(exact / unit) * unit


def _lowest(scores: npt.NDArray[np.float64], count: int) -> BoolArray:
    """True but for the `count` lowest scores; ties by position."""
    keep = np.ones(scores.shape, dtype=np.bool_)
    keep[np.argsort(scores, kind="stable")[:count]] = False
    return keep


class Unstructured:
    """Single weights by magnitude."""

    name = "unstructured"
    unit = 1
    tiling = Tiling()

    def fits(self, _shape: tuple[int, ...]) -> str | None:
        """Every kernel fits."""
        return None

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """See Pattern."""
        scores = np.abs(weights.astype(np.float64)).ravel()
        return _lowest(scores, zeros_for(weights.size, sparsity, 1)).reshape(weights.shape)


class Block1x4:
    """Aligned groups of four weights along the input channels, by the sum of their magnitudes."""

    name = "block1x4"
    unit = 4
    tiling = Tiling(columns=4)

    def fits(self, shape: tuple[int, ...]) -> str | None:
        """The input channels must be a multiple of four."""
        if shape[-1] % 4:
            return f"block1x4 needs input channels % 4 == 0, got {shape[-1]}"
        return None

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """See Pattern. weights.shape[-1] % 4 == 0."""
        scores = np.abs(weights.astype(np.float64)).reshape(-1, 4).sum(axis=1)
        keep = _lowest(scores, zeros_for(weights.size, sparsity, 4) // 4)
        return np.repeat(keep, 4).reshape(weights.shape)


class Block2x4:
    """Aligned groups of four input channels of two neighbouring outputs, by the sum of their magnitudes."""

    name = "block2x4"
    unit = 8
    tiling = Tiling(rows=2, columns=4)

    def fits(self, shape: tuple[int, ...]) -> str | None:
        """Inputs, or input channels, in fours and outputs in twos."""
        if shape[-1] % 4:
            return f"block2x4 needs inputs % 4 == 0, got {shape[-1]}"
        if shape[0] % 2:
            return f"block2x4 needs outputs % 2 == 0, got {shape[0]}"
        return None

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """See Pattern. weights as `fits` wants them."""
        blocks = np.abs(weights.astype(np.float64)).reshape(len(weights) // 2, 2, -1, 4)
        scores = blocks.sum(axis=(1, 3))
        keep = _lowest(scores.ravel(), zeros_for(weights.size, sparsity, 8) // 8).reshape(scores.shape)
        return np.repeat(np.repeat(keep, 2, axis=0), 4, axis=1).reshape(weights.shape)


class Block4x1:
    """Aligned groups of four neighbouring outputs at one position of the filters, by the sum of their magnitudes."""

    name = "block4x1"
    unit = 4
    tiling = Tiling(rows=4)

    def fits(self, shape: tuple[int, ...]) -> str | None:
        """The outputs must be a multiple of four."""
        if shape[0] % 4:
            return f"block4x1 needs outputs % 4 == 0, got {shape[0]}"
        return None

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """See Pattern. weights.shape[0] % 4 == 0."""
        scores = np.abs(weights.astype(np.float64)).reshape(len(weights) // 4, 4, -1).sum(axis=1)
        keep = _lowest(scores.ravel(), zeros_for(weights.size, sparsity, 4) // 4).reshape(scores.shape)
        return np.repeat(keep, 4, axis=0).reshape(weights.shape)


class NOfM:
    """The `n` largest of each aligned group of `m` weights along the input channels stay.

    A unit is what one group loses, so that the sparsity is 1 - n / m when every group loses one.
    """

    def __init__(self, n: int, m: int) -> None:
        self.n, self.m = n, m
        self.name = f"nm={n}:{m}"
        self.unit = m - n
        self.tiling = Tiling(group=m, removable=m - n)

    def fits(self, shape: tuple[int, ...]) -> str | None:
        """The input channels must be a multiple of m."""
        if shape[-1] % self.m:
            return f"{self.name} needs input channels % {self.m} == 0, got {shape[-1]}"
        return None

    def mask(self, weights: FloatArray, sparsity: float) -> BoolArray:
        """Remove floor(sparsity * m) of each group, at most m - n: a schedule may ask for less on its way."""
        removed = min(math.floor(round(sparsity * self.m, 6)), self.unit)
        groups = np.abs(weights.astype(np.float64)).reshape(-1, self.m)
        keep = np.ones(groups.shape, np.bool_)
        np.put_along_axis(keep, np.argsort(groups, axis=1, kind="stable")[:, :removed], False, axis=1)
        return keep.reshape(weights.shape)


PATTERNS: dict[str, Pattern] = {
    pattern.name: pattern for pattern in (Unstructured(), Block1x4(), Block2x4(), Block4x1())
}
"""The patterns without parameters."""


def pattern_named(name: str) -> Pattern:
    """The pattern of a name, nm=N:M included; KeyError for others."""
    n_of_m = parse_n_of_m(name)
    return NOfM(*n_of_m) if n_of_m is not None else PATTERNS[name]
