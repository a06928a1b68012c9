"""Rounding and multipliers against exact rational arithmetic, tables against TFLite Micro.

Values that say "gemmlowp" are what a C++ program printed that called the functions of its fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesparse import fixedpoint
from edgesparse.errors import ModelError, UnsupportedError
from tests.support.reference import tflm_output
from tests.support.tflite_builder import TfliteBuilder


def float32(value: float) -> float:
    return float(np.float32(value))


def reference_table(kind: str, source: tuple[float, int], target: tuple[float, int], **options: float) -> list[int]:
    """What TFLite Micro computes of all int8 values; scales and zero points of the input and the output."""
    b = TfliteBuilder()
    x, y = b.input((1, 256), *source), b.activation((1, 256), *target)
    b.op(kind, [x], [y], **options)
    values: list[int] = tflm_output(b.build([y]), [np.arange(-128, 128, dtype=np.int8)[np.newaxis]])[0].tolist()
    return values


def test_quantize_multiplier_of_known_values() -> None:
    assert fixedpoint.quantize_multiplier(0.0) == (0, 0)
    assert fixedpoint.quantize_multiplier(0.5) == (1 << 30, 0)
    assert fixedpoint.quantize_multiplier(1.0) == (1 << 30, 1)
    assert fixedpoint.quantize_multiplier(0.25) == (1 << 30, -1)
    assert fixedpoint.quantize_multiplier(math.nextafter(1.0, 0.0)) == (1 << 30, 1)  # rounds up to 2^31
    assert fixedpoint.quantize_multiplier(0.5 + 2.0**-32) == ((1 << 30) + 1, 0)  # a tie
    assert fixedpoint.quantize_multiplier(0.75) == (3 << 29, 0)
    assert fixedpoint.quantize_multiplier(2.0**-32) == (1 << 30, -31)
    assert fixedpoint.quantize_multiplier(2.0**-33) == (0, 0)
    assert fixedpoint.quantize_multiplier(2.0**-40) == (0, 0)
    assert fixedpoint.quantize_multiplier(2.0**29) == (1 << 30, 30)


@pytest.mark.parametrize("real", [-1.0, -(2.0**-50), math.nan, math.inf])
def test_quantize_multiplier_refuses_what_is_no_factor(real: float) -> None:
    with pytest.raises(ModelError, match="must be finite and not negative"):
        fixedpoint.quantize_multiplier(real)


@pytest.mark.parametrize("real", [2.0**30, 2.0**31, math.nextafter(2.0**30, 0.0)])  # the last rounds up to 2^30
def test_quantize_multiplier_refuses_what_tflite_aborts_on(real: float) -> None:
    with pytest.raises(ModelError, match=r"is 2\^30 or more"):
        fixedpoint.quantize_multiplier(real)


def test_multipliers_greater_than_one_have_shifts_up_to_31() -> None:
    assert fixedpoint.quantize_multiplier_greater_than_one(1.5) == (3 << 29, 1)
    assert fixedpoint.quantize_multiplier_greater_than_one(2.0**30) == (1 << 30, 31)
    assert fixedpoint.quantize_multiplier_greater_than_one(2.0**26 * (1 - 2.0**-40)) == (1 << 30, 27)


@settings(max_examples=400, derandomize=True)
@given(x=st.integers(-(2**29), 2**29), real=st.floats(2.0**-30, 2.0, exclude_max=True))
def test_the_result_is_rounded_twice(x: int, real: float) -> None:
    multiplier, shift = fixedpoint.quantize_multiplier(real)
    product = Fraction(x * 2 ** max(shift, 0) * multiplier, 2**31)
    once = math.floor(product + Fraction(1, 2))  # ties towards plus infinity
    quotient = Fraction(once, 2 ** max(-shift, 0))
    twice = math.floor(abs(quotient) + Fraction(1, 2)) * (1 if once >= 0 else -1)  # ties away from zero
    assert fixedpoint.multiply_by_quantized_multiplier(x, multiplier, shift) == twice


@pytest.mark.parametrize("real", [2.0**-31, 1e-6, 0.001, 0.1, 0.375, 0.75, 1.0, 3.7, 1000.0])
def test_arrays_are_rescaled_as_single_values_are(real: float) -> None:
    multiplier, shift = fixedpoint.quantize_multiplier(real)
    values = np.concatenate([np.arange(-300, 300), np.linspace(-(2**20), 2**20, 300).astype(np.int64)])
    rescaled = fixedpoint.rescale(values, multiplier, shift)
    assert rescaled.dtype == np.int64
    assert rescaled.tolist() == [
        fixedpoint.multiply_by_quantized_multiplier(value, multiplier, shift) for value in values.tolist()
    ]


def test_a_left_shift_leaves_int32_as_in_c() -> None:
    assert fixedpoint.multiply_by_quantized_multiplier(1 << 30, 1 << 30, 2) == 0
    assert fixedpoint.multiply_by_quantized_multiplier(1 << 30, 1 << 30, 1) == -(1 << 30)
    assert fixedpoint.multiply_by_quantized_multiplier(-(1 << 31), -(1 << 31), 0) == 2**31 - 1, "the one that saturates"


def test_products_and_quotients_are_rounded_as_in_gemmlowp() -> None:
    for a, b, high in [
        (-(2**31), -(2**31), 2**31 - 1),
        (-(2**31), 2**31 - 1, -(2**31) + 1),
        (2**31 - 1, 2**31 - 1, 2**31 - 2),
        (2**30, 1, 1),
        (-(2**30), 1, 0),
        (-(2**30) - 1, 1, -1),
        (2**30 - 1, 1, 0),
        (123456789, -987654321, -56779306),
    ]:
        assert fixedpoint._doubling_high_multiply(a, b) == high
    for x, exponent, quotient in [
        *((5, 1, 3), (-5, 1, -3), (6, 2, 2), (-6, 2, -2), (7, 2, 2), (-7, 2, -2), (10, 2, 3), (-10, 2, -3)),
        *((9, 2, 2), (-9, 2, -2), (3, 0, 3), (-3, 0, -3)),
        *((2**31 - 1, 31, 1), (-(2**31), 31, -1), (2**30, 31, 1), (-(2**30), 31, -1), (2**30 - 1, 31, 0)),
    ]:
        assert fixedpoint._divide_by_power_of_two(x, exponent) == quotient
    for x, exponent, product in [
        *((2**29 - 1, 2, 2**31 - 4), (2**29, 2, 2**31 - 1), (-(2**29) + 1, 2, -(2**31) + 4), (-(2**29), 2, -(2**31))),
        *((-(2**29) - 1, 2, -(2**31)), (77, 0, 77), (-77, 0, -77), (-6, -2, -2), (6, -1, 3)),
    ]:
        assert fixedpoint._multiply_by_power_of_two(x, exponent) == product


@pytest.mark.parametrize(
    ("real", "elements", "expected"),
    [
        (1.0, 1, (1 << 30, 1)),
        (1.0, 3, ((1 << 31) // 3, 0)),
        (0.5, 49, ((1 << 35) // 49, -5)),
        (1.0, 64, (1 << 30, -5)),
        (2.0**-31, 8, ((1 << 31) // 8, -31)),  # TFLite shifts by no more than 31
        (1.0, 1 << 40, (1 << 22, -31)),
        (8.0, 1 << 40, (1 << 22, -28)),  # and by no more than 32 here
    ],
)
def test_a_mean_divides_the_multiplier(real: float, elements: int, expected: tuple[int, int]) -> None:
    assert fixedpoint.mean_multiplier(real, elements) == expected


def test_activation_ranges() -> None:
    assert fixedpoint.activation_range("NONE", 0.1, 3) == (-128, 127)
    assert fixedpoint.activation_range("RELU", 0.1, 3) == (3, 127)
    assert fixedpoint.activation_range("RELU6", 0.1, -100) == (-100, -40)
    assert fixedpoint.activation_range("RELU6", 0.1, 100) == (100, 127)
    assert fixedpoint.activation_range("RELU_N1_TO_1", 0.1, 3) == (-7, 13)
    assert fixedpoint.activation_range("RELU_N1_TO_1", 0.1, -125) == (-128, -115)
    assert fixedpoint.activation_range("RELU_N1_TO_1", 0.1, 125) == (115, 127)
    assert fixedpoint.activation_range("RELU_N1_TO_1", 2.0, 3) == (2, 4), "ties are rounded away from zero"
    assert fixedpoint.activation_range("RELU_N1_TO_1", 2.0**-30, 0) == (-128, 127)
    for activation in ("RELU", "RELU6"):
        assert fixedpoint.activation_range(activation, 0.1, -130)[0] == -128
    with pytest.raises(UnsupportedError, match="TANH"):
        fixedpoint.activation_range("TANH", 0.1, 3)
    for activation, scale in (("RELU6", 1e-12), ("RELU6", 1e-45), ("RELU_N1_TO_1", 2.0**-31)):
        with pytest.raises(ModelError, match=f"too fine for the fused activation {activation}"):
            fixedpoint.activation_range(activation, scale, 3)


def test_unsupported_activations_are_named() -> None:
    with pytest.raises(UnsupportedError) as caught:
        fixedpoint.activation_range("SIGN_BIT", 0.1, 3)
    assert caught.value.names == ("SIGN_BIT",)


def test_multipliers_and_gates_of_hard_swish_have_sixteen_bits() -> None:
    assert fixedpoint._multiplier_of_16_bits(0.5) == (2**14, 0)
    assert fixedpoint._multiplier_of_16_bits(1 - 2.0**-18) == (2**15 - 1, 0)
    assert fixedpoint._multiplier_of_16_bits(0.5 + 2.0**-16) == (2**14 + 1, 0), "a tie"
    assert [fixedpoint._clip16(x) for x in (-40000, -32769, -32768, 0, 32767, 32768, 40000)] == [
        -32768, -32768, -32768, 0, 32767, 32767, 32767,
    ]  # fmt: skip


def test_hard_swish_refuses_shifts_that_sixteen_bits_do_not_have() -> None:
    for input_scale, output_scale in ((1e-8, 1e-3), (3 * 2.0**-25, 1e-7), (0.01, 8.0)):
        with pytest.raises(ModelError, match="too far from usual ones"):
            fixedpoint.hard_swish_table(input_scale, 0, output_scale, 0)
    with pytest.raises(ModelError, match=r"the output scale 0\.008 is too fine"):
        fixedpoint.hard_swish_table(1.5, 0, 0.008, 0)
    with pytest.raises(ModelError, match=r"the output scale 0\.0001 is too fine for inputs of 6"):
        fixedpoint.hard_swish_table(6.0, 0, 0.0001, 0)


POINTS = [
    *((0.05, 10), (0.01, -128), (0.3, 127), (1.0, 0), (4.0, 3), (0.0001, 5), (15.0, 0), (16.0, 1), (7.5, -2)),
    *((0.1, -100), (0.1, 100)),
]


@pytest.mark.parametrize(("scale", "zero_point"), POINTS)
def test_logistic_and_tanh_are_those_of_tflite_micro(scale: float, zero_point: int) -> None:
    source = (float32(scale), zero_point)
    for table, expected in (
        (fixedpoint.logistic_table(*source), reference_table("LOGISTIC", source, (1 / 256, -128))),
        (fixedpoint.tanh_table(*source), reference_table("TANH", source, (1 / 128, 0))),
    ):
        assert table.tolist() == expected
        assert table.dtype == np.int8


def test_logistic_and_tanh_refuse_a_scale_whose_multiplier_is_no_int32() -> None:
    for table in (fixedpoint.logistic_table, fixedpoint.tanh_table):
        with pytest.raises(ModelError, match="is not supported for LOGISTIC and TANH"):
            table(math.nextafter(1.0, 0.0), 0)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((0.05, 3), (0.05, -4)),
        ((0.1, -128), (0.02, 127)),
        ((0.001, 0), (3.0, 5)),
        ((6.0, 7), (0.01, 0)),
        ((0.02, 127), (0.03, -128)),
        ((0.023, -60), (0.047, 60)),
    ],
)
def test_rescaled_tables_are_those_of_tflite_micro(source: tuple[float, int], target: tuple[float, int]) -> None:
    (a, from_), (b, to) = source, target
    for kind, table in (
        ("QUANTIZE", fixedpoint.requantize_table(float32(a) / float32(b), from_, to)),
        ("RELU", fixedpoint.relu_table(float(np.float32(a) / np.float32(b)), from_, to)),
        ("RELU6", fixedpoint.relu6_table(float32(a), from_)),
    ):
        assert table.tolist() == reference_table(kind, source, target), kind
        assert table.dtype == np.int8
    for alpha in (0.0, 0.1, 0.3, 1.0, 2.5):
        table = fixedpoint.leaky_relu_table(float32(a), from_, float32(b), to, float32(alpha))
        assert table.tolist() == reference_table("LEAKY_RELU", source, target, alpha=alpha), alpha
        assert table.dtype == np.int8


def test_relu6_of_a_very_fine_scale_is_relu() -> None:
    """6.0 in steps of the input leaves float32."""
    assert fixedpoint.relu6_table(1e-45, -100).tolist() == [max(q, -100) for q in range(-128, 128)]
    assert fixedpoint.relu6_table(6 / 255, -128).tolist() == list(range(-128, 128))
    assert fixedpoint.relu6_table(6 / 254, -128).tolist() == [*range(-128, 127), 126]


def test_relu_never_goes_below_int8() -> None:
    assert fixedpoint.relu_table(1.0, 0, -130)[0] == -128


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((0.05, 3), (0.05, -4)),
        ((0.05, -128), (0.02, -120)),
        ((0.1, 127), (0.03, 100)),
        ((0.0118, 5), (0.01, -3)),  # the gate is shifted left by 1
        ((0.011, 5), (0.01, -3)),  # not shifted
        ((0.004, 5), (0.01, -3)),  # shifted right
        ((0.00001, 5), (0.00001, -3)),
        ((0.024, -3), (0.5, 7)),
        ((4.0, -3), (1.0, 7)),
        ((1.5, 0), (0.024, 0)),
        ((1.5, 0), (0.015, 0)),  # as fine as the output may be
        ((0.05, 0), (0.01, -128)),
        ((0.05, 0), (0.01, 127)),
        ((3 / 256 * (1 - 2.0**-18), 0), (0.01, 0)),  # a multiplier that rounds to 2^15
        ((3 * 2.0**-24, 0), (1e-7, 2)),  # shifted right by 15, as far as may be
        ((0.01, 0), (4.0, 0)),  # as far, the output
    ],
)
def test_hard_swish_is_that_of_tflite_micro(source: tuple[float, int], target: tuple[float, int]) -> None:
    table = fixedpoint.hard_swish_table(float32(source[0]), source[1], float32(target[0]), target[1])
    assert table.tolist() == reference_table("HARD_SWISH", source, target)
    assert table.dtype == np.int8


LOGISTICS = [
    *((0, 1073741824), (1, 1073741948), (-1, 1073741699), (12345, 1073791326), (-12345, 1073692321)),
    *((2**20, 1077936196), (-(2**20), 1069547451), (2**24, 1140763444), (-(2**24), 1006720203)),
    *((2**25 - 1, 1207264688), (2**25, 1207264694), (-(2**25) - 1, 940218681), (2**26, 1336721090)),
    *((2**27, 1569936226), (-(2**27), 577547421), (2**28, 1891497262), (2**28 + 7777777, 1904277592)),
    *((2**29, 2108858542), (-(2**30), 720155), (2**31 - 1, 2147483406), (-(2**31) + 1, 241)),
    *((1234567890, 2147266312), (-987654321, 1367271), (333333333, 1982082056)),
]
TANHS = [
    *((0, 0), (1, 260), (-1, -260), (100, 1836), (12345, 197756), (2**20, 16776996), (-(2**20), -16776996)),
    *((2**24, 267045740), (2**25 - 1, 525958528), (2**25, 525958532), (-(2**25) - 1, -525959064)),
    *((2**26, 992388804), (2**27, 1635510876), (2**28, 2070233436), (2**28 + 7777777, 2078551572)),
    *((2**29, 2146043336), (-(2**30), -2147483164), (2**31 - 1, 2147483647), (-(2**31) + 1, -2147483647)),
    *((1234567890, 2147483596), (-987654321, -2147481900), (333333333, 2117781900)),
]


def test_logistic_and_tanh_of_32_bits_are_those_of_gemmlowp() -> None:
    for x, expected in LOGISTICS:
        assert fixedpoint._logistic(x) == expected, x
    for x, expected in TANHS:
        assert fixedpoint._tanh(x) == expected, x


EXPONENTIALS = {
    5: [
        *((0, 2147483647), (-1, 2147483124), (-2, 2147483093), (-100, 2147479956), (-12345, 2147088157)),
        *((-(2**20), 2114189749), (-(2**23) - 1, 1895147640), (1 - 2**24, 1672462444), (-(2**24), 1672462419)),
        *((-(2**24) - 1, 1672461539), (-(2**25), 1302515042), (-(2**26), 790015308), (-(2**26) - 1, 790014891)),
        *((-(2**27), 290630390), (-(2**28), 39332546), (-(2**29), 720401), (-(2**30), 242), (-(2**30) - 1, 242)),
        (-(2**31), 0),
        *((-1234567890, 22), (-987654321, 872), (-333333333, 14954292), (-55555555, 938431399)),
    ],
    4: [
        *((0, 2147483647), (-1, 2147483140), (-100, 2147481556), (-(2**24), 1895147668), (-(2**25), 1672462419)),
        *((-(2**26) - 1, 1302514366), (-(2**27), 790015308), (-(2**28), 290630390), (-(2**29), 39332546)),
        *((-(2**30), 720401), (-2130706432, 274), (-(2**31), 242), (-987654321, 1368142), (-55555555, 1419600681)),
    ],
}


@pytest.mark.parametrize("integer_bits", EXPONENTIALS)
def test_exponentials_are_those_of_gemmlowp(integer_bits: int) -> None:
    for x, expected in EXPONENTIALS[integer_bits]:
        assert fixedpoint._exp_on_negative_values(x, integer_bits) == expected, x


def test_reciprocals_are_those_of_gemmlowp() -> None:
    """Of 1 + a, in Q0.31; ours has one bit more."""
    for a, expected in [
        *((2**20, 2146435584), (2**29, 1717986914), (2**30, 1431655762), (1431655765, 1288490192)),
        *((2**31 - 1, 1073741820), (1000000007, 1465197762)),
    ]:
        assert 2 * fixedpoint._newton_reciprocal(a) == expected


@pytest.mark.parametrize(
    ("scale", "beta", "length", "some", "total"),
    [
        (0.05, 1.0, 256, {1: 2042749603, 7: 1513306137, 255: 6233}, 44032239959),
        (0.25, 1.0, 63, {1: 1672462419, 7: 373176807, 62: 398}, 9708369862),
        (2.0, 0.5, 16, {1: 790015308, 7: 1958252, 15: 657}, 3397269082),
        (10.0, 1.0, 2, {1: 97496}, 2147581143),
        (15.5, 1.0, 2, {1: 398}, 2147484045),
        (16.0, 1.0, 1, {}, 2147483647),
        (1000.0, 1.0, 1, {}, 2147483647),
        (0.003, 0.7, 256, {1: 2142978200, 7: 2116146278, 255: 1257086481}, 425701070713),
        (3e-8, 1.0, 256, {1: 2147483093, 7: 2147482709, 255: 2147466741}, 549753585932),
    ],
)
def test_softmax_exponentials_are_those_of_gemmlowp(
    scale: float, beta: float, length: int, some: dict[int, int], total: int
) -> None:
    exponentials = fixedpoint.softmax_exponentials(float32(scale), float32(beta))
    assert exponentials.dtype == np.int32
    assert len(exponentials) == length
    assert {index: exponentials[index] for index in some} == some
    assert exponentials.sum(dtype=np.int64) == total


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
    with pytest.raises(ModelError, match="too small"):
        fixedpoint.softmax_exponentials(2.0**-26, 1.0)
    assert len(fixedpoint.softmax_exponentials(2.0**-25, 1.0)) == 256
