"""Integer arithmetic exactly as TFLite's reference kernels do it: multipliers, rounding, tables.

Sources: TFLite's quantization_util and common (double rounding), gemmlowp's fixedpoint. Floats are Python's
doubles; where TFLite multiplies in float32 the function says so.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.graph import Activation, Int8Array, Int32Array

__all__ = [
    "activation_range",
    "hard_swish_table",
    "leaky_relu_table",
    "logistic_table",
    "mean_multiplier",
    "multiply_by_quantized_multiplier",
    "quantize_multiplier",
    "relu6_table",
    "relu_table",
    "requantize_table",
    "rescale",
    "softmax_exponentials",
    "tanh_table",
]

_INT32_MAX = 2**31 - 1
_INT8 = range(-128, 128)


def _round_half_away(x: float) -> int:
    """To the nearest integer, ties away from zero, as C's round()."""
    return math.floor(x + 0.5) if x >= 0 else math.ceil(x - 0.5)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Split `real` >= 0 into (multiplier, shift) with real ~ multiplier / 2^31 * 2^shift.

    multiplier in [2^30, 2^31) or 0; shift >= -31. ModelError where TFLite would abort.
    """
    if not (math.isfinite(real) and real >= 0):
        raise ModelError(f"a rescaling factor must be finite and not negative, got {real}; check the model's scales")
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        raise ModelError(f"the rescaling factor {real} is 2^30 or more; check the model's scales")
    return multiplier, shift


def _wrap(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def _doubling_high_multiply(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul."""
    if a == b == -(2**31):
        return _INT32_MAX
    return (a * b + 2**30) >> 31


def _divide_by_power_of_two(x: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT: ties away from zero."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if (x & mask) > threshold else 0)


def _multiply_by_power_of_two(x: int, exponent: int) -> int:
    """gemmlowp's SaturatingRoundingMultiplyByPOT."""
    if exponent < 0:
        return _divide_by_power_of_two(x, -exponent)
    if exponent == 0:
        return x
    threshold = (1 << (31 - exponent)) - 1
    if x > threshold:
        return _INT32_MAX
    return -(2**31) if x < -threshold else x << exponent


def multiply_by_quantized_multiplier(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier / 2^31 * 2^shift in int32, rounded twice."""
    left, right = max(shift, 0), max(-shift, 0)
    return _divide_by_power_of_two(_doubling_high_multiply(_wrap(x << left), multiplier), right)


def rescale(x: npt.NDArray[np.int64], multiplier: int, shift: int) -> npt.NDArray[np.int64]:
    """multiply_by_quantized_multiplier for an array of values that the left shift keeps in int32."""
    high = ((x << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    right = max(-shift, 0)
    mask = (1 << right) - 1
    threshold = (mask >> 1) + (high < 0)
    result: npt.NDArray[np.int64] = (high >> right) + ((high & mask) > threshold)
    return result


def activation_range(activation: Activation, scale: float, zero_point: int) -> tuple[int, int]:
    """(min, max) of int8 outputs under a fused activation; UnsupportedError for one that TFLM lacks.

    ModelError where TFLM refuses the scale: a bound of the activation leaves int32.
    """

    def quantize(value: float) -> int:
        with np.errstate(over="ignore"):
            steps = float(np.float32(value) / np.float32(scale))
        if abs(steps) >= 2.0**31:
            raise ModelError(f"the output scale {scale:g} is too fine for the fused activation {activation}")
        return zero_point + _round_half_away(steps)

    if activation == "NONE":
        return -128, 127
    if activation == "RELU":
        return max(-128, quantize(0.0)), 127
    if activation == "RELU6":
        return max(-128, quantize(0.0)), min(127, quantize(6.0))
    if activation == "RELU_N1_TO_1":
        return max(-128, quantize(-1.0)), min(127, quantize(1.0))
    raise UnsupportedError(f"fused activation {activation} has no kernel", (activation,))


def mean_multiplier(real: float, elements: int) -> tuple[int, int]:
    """(multiplier, shift) of a sum over `elements` that also divides by their number."""
    multiplier, shift = quantize_multiplier(real)
    extra = min(elements.bit_length() - 1, 32, 31 + shift)
    return (multiplier << extra) // elements, shift - extra


def requantize_table(real: float, input_zero_point: int, output_zero_point: int) -> Int8Array:
    """QUANTIZE int8 -> int8 as a table [256] indexed by input + 128."""
    return _rescaled(real, input_zero_point, output_zero_point, -128, 127)


def relu_table(real: float, input_zero_point: int, output_zero_point: int) -> Int8Array:
    """RELU as a table [256]; `real` is the float32 quotient of the scales."""
    return _rescaled(real, input_zero_point, output_zero_point, max(-128, output_zero_point), 127)


def _rescaled(real: float, input_zero_point: int, output_zero_point: int, low: int, high: int) -> Int8Array:
    multiplier, shift = quantize_multiplier(real)
    values = [
        multiply_by_quantized_multiplier(q - input_zero_point, multiplier, shift) + output_zero_point for q in _INT8
    ]
    return np.clip(values, low, high).astype(np.int8)


def relu6_table(input_scale: float, input_zero_point: int) -> Int8Array:
    """RELU6 as a table [256]: TFLM clamps the input's own values and ignores the output's quantization."""
    with np.errstate(over="ignore"):
        steps = float(np.float32(6.0) / np.float32(input_scale))
    six = input_zero_point + _round_half_away(min(steps, 255.0))
    return np.clip(_INT8, input_zero_point, six).astype(np.int8)


def leaky_relu_table(
    input_scale: float, input_zero_point: int, output_scale: float, output_zero_point: int, alpha: float
) -> Int8Array:
    """LEAKY_RELU as a table [256]; alpha >= 0. TFLM multiplies and divides in float32."""
    scale, out = np.float32(input_scale), np.float32(output_scale)
    identity = quantize_multiplier(float(scale / out))
    slope = quantize_multiplier(float(scale * np.float32(alpha) / out))
    values = [
        multiply_by_quantized_multiplier(q - input_zero_point, *(identity if q >= input_zero_point else slope))
        + output_zero_point
        for q in _INT8
    ]
    return np.clip(values, -128, 127).astype(np.int8)


def hard_swish_table(
    input_scale: float, input_zero_point: int, output_scale: float, output_zero_point: int
) -> Int8Array:
    """HARD_SWISH as a table [256], in 16 bits as TFLM computes it. ModelError where it refuses the scales."""
    fine = np.float32(input_scale) * np.float32(1 / 128)
    out_multiplier, out_exponent = _multiplier_of_16_bits(float(fine / np.float32(output_scale)))
    if out_exponent > 0:
        raise ModelError(f"HARD_SWISH: the output scale {output_scale:g} is too fine for inputs of {input_scale:g}")
    gate_multiplier, gate_exponent = _multiplier_of_16_bits(float(fine / np.float32(3 / 32768)))
    if min(out_exponent, gate_exponent) < -15:  # TFLM then shifts 16 bits by more than they have
        raise ModelError(f"HARD_SWISH: the scales {input_scale:g} and {output_scale:g} are too far from usual ones")
    values = []
    for q in _INT8:
        x = (q - input_zero_point) << 7
        scaled = (x * out_multiplier + 2**14) >> 15
        gate = _clip16(x << gate_exponent - 1) if gate_exponent > 0 else x
        gate = (gate * gate_multiplier + 2**14) >> 15
        gate = _clip16(gate << 1) if gate_exponent > 0 else _divide_by_power_of_two(gate, -gate_exponent)
        product = (gate + 2**15 >> 1) * scaled  # the gate in [0, 1], of 15 bits
        towards_zero = product >> 15 if product >= 0 else -(-product >> 15)
        values.append(_divide_by_power_of_two(towards_zero, -out_exponent) + output_zero_point)
    return np.clip(values, -128, 127).astype(np.int8)


def _multiplier_of_16_bits(real: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(real)
    return min((multiplier + 2**15) >> 16, 2**15 - 1), shift


def _clip16(x: int) -> int:
    return min(max(x, -(2**15)), 2**15 - 1)


def _sigmoid_input(scale: float) -> tuple[int, int, int]:
    """(multiplier, left shift, radius) that take an int8 difference to Q4.27 (LOGISTIC and TANH)."""
    fraction, left_shift = math.frexp(scale * 2.0**27)
    multiplier = _round_half_away(fraction * 2**31)
    if multiplier == 2**31:  # fits no int32; the next representable fraction is one double ulp below
        raise ModelError(f"an input scale of {scale} is not supported for LOGISTIC and TANH")
    radius = math.floor(15.0 * 2.0**27 / 2.0**left_shift)
    return multiplier, left_shift, radius


def logistic_table(scale: float, zero_point: int) -> Int8Array:
    """LOGISTIC as a table [256]; the output is at scale 1/256, zero point -128."""
    multiplier, shift, radius = _sigmoid_input(scale)
    values = []
    for q in _INT8:
        difference = q - zero_point
        if difference <= -radius:
            values.append(-128)
        elif difference >= radius:
            values.append(127)
        else:
            x = multiply_by_quantized_multiplier(difference, multiplier, shift)
            values.append(_divide_by_power_of_two(_logistic(x), 31 - 8) - 128)
    return np.minimum(values, 127).astype(np.int8)


def tanh_table(scale: float, zero_point: int) -> Int8Array:
    """TANH as a table [256]; the output is at scale 1/128, zero point 0."""
    multiplier, shift, radius = _sigmoid_input(scale)
    values = []
    for q in _INT8:
        difference = q - zero_point
        if difference <= -radius:
            values.append(-128)
        elif difference >= radius:
            values.append(127)
        else:
            x = multiply_by_quantized_multiplier(difference, multiplier, shift)
            values.append(_divide_by_power_of_two(_tanh(x), 31 - 7))
    return np.minimum(values, 127).astype(np.int8)


def softmax_exponentials(input_scale: float, beta: float) -> Int32Array:
    """exp(-i * input_scale * beta) in Q0.31 for i = 0, 1, ... as SOFTMAX's reference computes it.

    Ends where the reference treats a value as zero: 1 to 256 entries.
    """
    real = min(beta * input_scale * 2.0**26, 2.0**31 - 1.0)
    if not real > 1.0:
        raise ModelError(f"SOFTMAX: input scale {input_scale} times beta {beta} is too small to compute with")
    multiplier, left_shift = quantize_multiplier_greater_than_one(real)
    # 31 = 5 integer bits and 26 fractional bits: the radius in steps of the input.
    radius = math.floor(31.0 * 2.0**26 / 2.0**left_shift)
    values = []
    for i in range(min(256, radius + 1)):
        x = _doubling_high_multiply(_wrap(-i << left_shift), multiplier)
        values.append(_exp_on_negative_values(x, 5))
    return np.array(values, np.int32)


def quantize_multiplier_greater_than_one(real: float) -> tuple[int, int]:
    """As quantize_multiplier for real > 1, with shifts up to 31 (SOFTMAX with a very coarse input)."""
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        return 2**30, shift + 1
    return multiplier, shift


def _exp_on_negative_values(a: int, integer_bits: int) -> int:
    """gemmlowp's exp of a <= 0 in Q(integer_bits), to Q0.31."""
    if a == 0:
        return _INT32_MAX
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    part = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(_multiply_by_power_of_two(part, integer_bits))
    remainder = _wrap(part - a)
    # exp(-2^e) in Q0.31 for e = -2 to 4
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, 5), factors, strict=True):
        if remainder & (1 << (fractional_bits + exponent)):
            result = _doubling_high_multiply(result, factor)
    return result


def _exp_between_minus_quarter_and_zero(a: int) -> int:
    """A Taylor series around -1/8, in Q0.31."""
    constant_term = 1895147668  # exp(-1/8)
    x = a + (1 << 28)
    x2 = _doubling_high_multiply(x, x)
    x3 = _doubling_high_multiply(x2, x)
    x4_over_4 = _divide_by_power_of_two(_doubling_high_multiply(x2, x2), 2)
    third = _doubling_high_multiply(x4_over_4 + x3, 715827883)
    tail = _divide_by_power_of_two(third + x2, 1)
    return _wrap(constant_term + _doubling_high_multiply(constant_term, x + tail))


def _newton_reciprocal(a: int) -> int:
    """2 / (1 + a) in Q2.29 for a in [0, 1) in Q0.31."""
    half = (a + _INT32_MAX + 1) // 2
    x = 1515870810 + _doubling_high_multiply(half, -1010580540)  # 48/17 - 32/17 d
    for _ in range(3):
        rest = (1 << 29) - _doubling_high_multiply(half, x)
        x = x + _multiply_by_power_of_two(_doubling_high_multiply(x, rest), 2)
    return x


def _logistic(x: int) -> int:
    """gemmlowp's logistic of Q4.27, to Q0.31."""
    if x == 0:
        return 1 << 30
    positive = _multiply_by_power_of_two(_newton_reciprocal(_exp_on_negative_values(-abs(x), 4)), 1)
    return positive if x > 0 else _INT32_MAX - positive


def _tanh(x: int) -> int:
    """gemmlowp's tanh of Q4.27, to Q0.31."""
    if x == 0:
        return 0
    reciprocal = _newton_reciprocal(_exp_on_negative_values(-abs(x), 5))
    magnitude = _multiply_by_power_of_two(reciprocal - (1 << 29), 2)
    return magnitude if x > 0 else -magnitude
