"""ADD and SUB as one linear form of their two bytes, where that is exact.

TFLite moves both inputs to a common scale with 20 fractional bits, adds or subtracts, and moves the result to the
output's scale, rounding each time. That is a function of two bytes, so that it can be compared for all 65,536 pairs
with

    saturate((floor(a * x / 2^8) + floor(b * y / 2^8) + c) / 2^20, rounded down)

which takes two multiplications and a saturating shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgesparse.lowering.two_bytes import Sum

__all__ = ["FRACTION_BITS", "LinearAdd", "linear_add"]

FRACTION_BITS = 20
_INPUT_BITS = 8
_VALUES = np.arange(-128, 128, dtype=np.int64)
_FAR = 1 << 62


@dataclass(frozen=True)
class LinearAdd:
    """The factors and the constant of the linear form, each in int32."""

    a: int
    b: int
    c: int


def linear_add(values: Sum, first_ratio: float, second_ratio: float) -> LinearAdd | None:
    """Find the linear form; None where none of those tried equals the reference for all pairs.

    `*_ratio`: the input's scale divided by the output's, negative for what is subtracted. values: without activation.
    """
    expected = values(_VALUES[:, None], _VALUES[None, :])
    one = 1 << (FRACTION_BITS + _INPUT_BITS)
    near_a, near_b = round(first_ratio * one), round(second_ratio * one)
    for step_a, step_b in sorted(np.ndindex(5, 5), key=lambda steps: (steps[0] - 2) ** 2 + (steps[1] - 2) ** 2):
        a, b = near_a + 2 * (step_a - 2), near_b + 2 * (step_b - 2)
        if max(abs(a), abs(b)) >= 1 << 31:
            continue
        products = a * _VALUES >> _INPUT_BITS
        sums = products[:, None] + (b * _VALUES >> _INPUT_BITS)[None, :]
        least = int(np.where(expected > -128, (expected << FRACTION_BITS) - sums, -_FAR).max())
        most = int(np.where(expected < 127, ((expected + 1) << FRACTION_BITS) - 1 - sums, _FAR).min())
        if least == -_FAR or most == _FAR:  # one output for all pairs: leave that to the general kernel
            continue
        c = (least + most) // 2
        if least <= most and _fits(products, c) and _fits(sums, c):
            return LinearAdd(a, b, c)
    return None


def _fits(sums: npt.NDArray[np.int64], c: int) -> bool:
    """Whether c and every sum with it are int32."""
    return min(int(sums.min()) + c, c) >= -(1 << 31) and max(int(sums.max()) + c, c) < 1 << 31
