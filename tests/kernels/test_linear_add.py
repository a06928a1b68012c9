"""The linear form of ADD and SUB equals the reference for every pair of bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgesparse.fixedpoint import multiply_by_quantized_multiplier, quantize_multiplier
from edgesparse.lowering.linear_add import FRACTION_BITS, linear_add
from edgesparse.lowering.two_bytes import Sum

BYTES = np.arange(-128, 128, dtype=np.int64)


def _scaling(scales: tuple[float, float, float], zero_points: tuple[int, int, int]) -> Sum:
    first, second, out = scales
    twice = 2 * max(first, second)
    return Sum(
        quantize_multiplier(first / twice),
        quantize_multiplier(second / twice),
        quantize_multiplier(twice / ((1 << 20) * out)),
        zero_points,
    )


def test_the_table_is_the_references_arithmetic() -> None:
    scaling = _scaling((0.07, 0.031, 0.05), (-5, 17, -128))
    outputs = scaling(BYTES[:, None], BYTES[None, :])
    for x, y in [(-128, -128), (127, 127), (0, 0), (-5, 17), (33, -90), (-7, 18)]:
        a = multiply_by_quantized_multiplier((x + 5) << 20, *scaling.first)
        b = multiply_by_quantized_multiplier((y - 17) << 20, *scaling.second)
        expected = multiply_by_quantized_multiplier(a + b, *scaling.output) - 128
        assert outputs[x + 128, y + 128] == min(max(expected, -128), 127)


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_the_linear_form_equals_the_table(seed: int, difference: bool) -> None:
    rng = np.random.default_rng(seed)
    scales = [float(scale) for scale in rng.uniform(0.01, 0.1, 3).astype(np.float32)]
    scales[2] = max(scales[2], 0.25 * max(scales))  # finer outputs saturate nearly always, and need more than int32
    if seed % 4 == 0:
        scales[1] = scales[0]  # ties: sums of two equal scales
    zero_points = tuple(int(z) for z in rng.integers(-128, 128, 3))
    scaling = _scaling((scales[0], scales[1], scales[2]), (zero_points[0], zero_points[1], zero_points[2]))
    scaling = replace(scaling, difference=difference)
    form = linear_add(scaling, scales[0] / scales[2], (-1 if difference else 1) * scales[1] / scales[2])
    assert form is not None
    q = BYTES
    sums = (form.a * q >> 8)[:, None] + (form.b * q >> 8)[None, :] + form.c
    assert np.array_equal(np.clip(sums >> FRACTION_BITS, -128, 127), scaling(q[:, None], q[None, :]))
    assert -(2**31) <= sums.min() <= sums.max() < 2**31


def test_there_is_none_where_ties_round_away_from_zero() -> None:
    """(x + y) / 2 has a tie for every odd sum: up where it is positive, down where it is negative."""
    assert linear_add(_scaling((0.05, 0.05, 0.1), (0, 0, 0)), 0.5, 0.5) is None


def test_there_is_none_where_int32_is_too_small() -> None:
    assert linear_add(_scaling((1.0, 1.0, 0.001), (0, 0, 0)), 1000.0, 1000.0) is None
