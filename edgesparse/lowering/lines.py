"""Functions of one byte as lines: saturate((factor * x + constant) / 2^16, rounded down).

That is a multiplication and a saturating shift. What TFLite computes of a byte and constants is such a line but for its
rounding. That it rounds twice, and ties away from zero, moves the steps of the staircase by a little, up on one side of
the input's zero point and down on the other. Mostly a line still fits between all of them; if not, one for each side
does, and that makes room for an activation that clamps on one side too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["FRACTION_BITS", "Lines", "Pieces", "fit_lines", "fit_pieces"]

IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

FRACTION_BITS = 16

_VALUES = np.arange(-128, 128, dtype=np.int64)
_FAR = 1 << 40
_LARGEST_FACTOR = (1 << 23) - 1
"""Its products with a byte stay below 2^30."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Of each function: factor, constant [n], and whether the line gives every output."""

    factors: IntArray
    constants: IntArray
    exact: BoolArray


@dataclass(frozen=True, eq=False)
class Pieces:
    """Two lines for each function. numbers [n, 5]: pivot, factor and constant below it, factor and constant from it on.

    exact [n]: whether they give every output.
    """

    numbers: IntArray
    exact: BoolArray


def fit_lines(outputs: IntArray, wanted: BoolArray | None = None) -> Lines:
    """Find the line of each function. outputs [n, 256]: for inputs -128 to 127, saturated to int8.

    wanted [n, 256]: the outputs that count, all of them by default. A constant is possible between two bounds; their
    distance is a concave function of the factor.
    """
    counts = np.ones(outputs.shape, np.bool_) if wanted is None else wanted
    steps = _Steps.of(outputs, counts)
    low = np.full(len(outputs), -_LARGEST_FACTOR, np.int64)
    high = -low
    while (low < high).any():
        middle = (low + high) >> 1
        here, beside = steps.room(np.stack([middle, middle + 1]))
        rising = here < beside
        low, high = np.where(rising, np.minimum(middle + 1, high), low), np.where(rising, high, middle)
    least, most = steps.bounds(low)
    constants = np.where(least == -_FAR, np.where(most == _FAR, 0, most), least)
    constants = np.where((least != -_FAR) & (most != _FAR), (least + most) >> 1, constants)
    sums = low[:, None] * _VALUES + constants[:, None]
    equal = np.clip(sums >> FRACTION_BITS, -128, 127) == outputs
    exact = ~counts | (equal & (sums >= -(1 << 31)) & (sums < 1 << 31))
    return Lines(low, constants, exact.all(axis=1) & (np.abs(constants) < 1 << 31))


def fit_pieces(outputs: IntArray) -> Pieces:
    """Find two lines for each function: the first as far as it goes. outputs as for fit_lines."""
    low, high = np.zeros(len(outputs), np.int64), np.full(len(outputs), 256, np.int64)
    positions = np.arange(256)
    while (low < high).any():  # a line fits the first `low` outputs
        middle = (low + high + 1) >> 1
        fits = fit_lines(outputs, positions < middle[:, None]).exact
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    first = fit_lines(outputs, positions < low[:, None])
    second = fit_lines(outputs, positions >= low[:, None])
    numbers = np.stack([low - 128, first.factors, first.constants, second.factors, second.constants], axis=1)
    return Pieces(numbers, first.exact & second.exact)


@dataclass(frozen=True, eq=False)
class _Steps:
    """What a sum may be, for the outputs that count and do not saturate on that side."""

    least: IntArray
    has_least: BoolArray
    most: IntArray
    has_most: BoolArray

    @staticmethod
    def of(outputs: IntArray, wanted: BoolArray) -> _Steps:
        """outputs [n, 256], those that count of them."""
        least = outputs << FRACTION_BITS
        most = least + ((1 << FRACTION_BITS) - 1)
        return _Steps(least, wanted & (outputs > -128), most, wanted & (outputs < 127))

    def bounds(self, factors: IntArray) -> tuple[IntArray, IntArray]:
        """The least and the largest constant of each function, of factors [..., n]."""
        products = factors[..., None] * _VALUES
        least = (self.least - products).max(axis=-1, where=self.has_least, initial=-_FAR)
        most = (self.most - products).min(axis=-1, where=self.has_most, initial=_FAR)
        return least, most

    def room(self, factors: IntArray) -> IntArray:
        """Their distance."""
        least, most = self.bounds(factors)
        return most - least
