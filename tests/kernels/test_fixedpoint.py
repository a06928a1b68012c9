"""Rounding and multipliers against their definitions, and against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesparse import fixedpoint
from edgesparse.errors import ModelError, UnsupportedError


def test_quantize_multiplier_of_known_values() -> None:
    assert fixedpoint.quantize_multiplier(0.0) == (0, 0)
    assert fixedpoint.quantize_multiplier(0.5) == (1 << 30, 0)
    assert fixedpoint.quantize_multiplier(1.0) == (1 << 30, 1)
    assert fixedpoint.quantize_multiplier(0.25) == (1 << 30, -1)
    assert fixedpoint.quantize_multiplier(math.nextafter(1.0, 0.0)) == (1 << 30, 1)  # rounds up to 2^31
    assert fixedpoint.quantize_multiplier(2.0**-40) == (0, 0)


@pytest.mark.parametrize("real", [-1.0, math.nan, math.inf, 2.0**31])
def test_quantize_multiplier_refuses_what_tflite_aborts_on(real: float) -> None:
    with pytest.raises(ModelError):
        fixedpoint.quantize_multiplier(real)


@settings(max_examples=400, derandomize=True)
@given(x=st.integers(-(2**29), 2**29), real=st.floats(2.0**-30, 2.0, exclude_max=True))
def test_the_result_is_rounded_twice(x: int, real: float) -> None:
    multiplier, shift = fixedpoint.quantize_multiplier(real)
    product = Fraction(x * 2 ** max(shift, 0) * multiplier, 2**31)
    once = math.floor(product + Fraction(1, 2))  # ties towards plus infinity
    quotient = Fraction(once, 2 ** max(-shift, 0))
    twice = math.floor(abs(quotient) + Fraction(1, 2)) * (1 if once >= 0 else -1)  # ties away from zero
    assert fixedpoint.multiply_by_quantized_multiplier(x, multiplier, shift) == twice


def test_activation_ranges() -> None:
    assert fixedpoint.activation_range("NONE", 0.1, 3) == (-128, 127)
    assert fixedpoint.activation_range("RELU", 0.1, 3) == (3, 127)
    assert fixedpoint.activation_range("RELU6", 0.1, -100) == (-100, -40)
    assert fixedpoint.activation_range("RELU_N1_TO_1", 0.1, 3) == (-7, 13)
    with pytest.raises(UnsupportedError, match="TANH"):
        fixedpoint.activation_range("TANH", 0.1, 3)
    with pytest.raises(ModelError, match="too fine for the fused activation RELU6"):
        fixedpoint.activation_range("RELU6", 1e-12, 3)


def test_hard_swish_refuses_shifts_that_sixteen_bits_do_not_have() -> None:
    with pytest.raises(ModelError, match="too far from usual ones"):
        fixedpoint.hard_swish_table(1e-8, 0, 1e-3, 0)


def test_tables_are_close_to_the_real_functions() -> None:
    """Exactness is for the fuzz tests; this guards against a table that is shifted or scaled."""
    q = np.arange(-128, 128)
    real = 0.05 * (q - 10)
    logistic = fixedpoint.logistic_table(0.05, 10) / 256 + 0.5
    assert np.abs(logistic - 1 / (1 + np.exp(-real))).max() < 1 / 200
    tanh = fixedpoint.tanh_table(0.05, 10) / 128
    assert np.abs(tanh - np.tanh(real)).max() < 1 / 100
    exponentials = fixedpoint.softmax_exponentials(0.05, 1.0) / 2**31
    assert np.abs(exponentials - np.exp(-0.05 * np.arange(256))).max() < 1e-6


def test_softmax_exponentials_end_where_the_reference_stops() -> None:
    assert len(fixedpoint.softmax_exponentials(10.0, 1.0)) == 2  # a radius of 31 * 2^26 / 2^30 steps
    with pytest.raises(ModelError, match="too small"):
        fixedpoint.softmax_exponentials(1e-9, 1.0)
