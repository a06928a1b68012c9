"""Sparsity patterns: which weights of a kernel go first.

A pattern cuts a kernel into units of `unit` neighbouring weights that stay or go together.

    block1x4 along the input channels, one filter position:

        in   0 1 2 3   4 5 6 7   8 9 10 11
            [x x x x] [. . . .] [x x x  x ]
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray

__all__ = ["PATTERNS", "Block1x4", "Pattern", "Unstructured", "zeros_for"]

BoolArray = npt.NDArray[np.bool_]


class Pattern(Protocol):
    """A rule that says which weights can be removed together."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def unit(self) -> int:
        """Weights that are removed together."""

    def fits(self, shape: tuple[int, ...]) -> str | None:
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

    def fits(self, shape: tuple[int, ...]) -> str | None:
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


PATTERNS: dict[str, Pattern] = {pattern.name: pattern for pattern in (Unstructured(), Block1x4())}
