"""Ops of two inputs as TFLite Micro's reference kernels compute them: an int8 from two int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.fixedpoint import activation_range, quantize_multiplier, rescale
from edgesparse.graph import BinaryOptions, Quantization
from edgesparse.lowering.context import Context

__all__ = ["Prelu", "Product", "Sum", "TwoBytes", "prelu", "product", "sum_or_difference"]

IntArray: TypeAlias = npt.NDArray[np.int64]
TwoBytes: TypeAlias = Callable[[IntArray, IntArray], IntArray]
"""Outputs for int8 values x and y, broadcast."""

_FRACTION_BITS = 20
_MAX_LEFT_SHIFT = 13
"""Of a product, up to 255 * 255, in int32 with a bit to spare."""


@dataclass(frozen=True)
class Sum:
    """x + y, or x - y. first, second, output: (multiplier, shift); zero_points: of x, y and the output.

    Both inputs are moved to twice the larger of their scales with 20 fractional bits, and the sum to the output's.
    """

    first: tuple[int, int]
    second: tuple[int, int]
    output: tuple[int, int]
    zero_points: tuple[int, int, int]
    low: int = -128
    high: int = 127
    difference: bool = False

    def __call__(self, x: IntArray, y: IntArray) -> IntArray:
        """Outputs for int8 values, broadcast."""
        a = rescale((x - self.zero_points[0]) << _FRACTION_BITS, *self.first)
        b = rescale((y - self.zero_points[1]) << _FRACTION_BITS, *self.second)
        total = rescale(a - b if self.difference else a + b, *self.output) + self.zero_points[2]
        return np.clip(total, self.low, self.high)


@dataclass(frozen=True)
class Product:
    """x * y. scale: (multiplier, shift); zero_points: of x, y and the output."""

    scale: tuple[int, int]
    zero_points: tuple[int, int, int]
    low: int = -128
    high: int = 127

    def __call__(self, x: IntArray, y: IntArray) -> IntArray:
        """Outputs for int8 values, broadcast."""
        values = (x - self.zero_points[0]) * (y - self.zero_points[1])
        return np.clip(rescale(values, *self.scale) + self.zero_points[2], self.low, self.high)


@dataclass(frozen=True)
class Prelu:
    """x where it is positive, else x * y. identity, slope: (multiplier, shift); zero_points: of x, y and the output."""

    identity: tuple[int, int]
    slope: tuple[int, int]
    zero_points: tuple[int, int, int]

    def __call__(self, x: IntArray, y: IntArray) -> IntArray:
        """Outputs for int8 values, broadcast."""
        value = x - self.zero_points[0]
        below = rescale(value * (y - self.zero_points[1]), *self.slope)
        values = np.where(value >= 0, rescale(value, *self.identity), below)
        return np.clip(values + self.zero_points[2], -128, 127)


def prelu(context: Context) -> Prelu:
    """Of a PRELU. UnsupportedError where the output's scale is far too fine."""
    a, b, out = _quantizations(context)
    identity, slope = quantize_multiplier(a.scale / out.scale), quantize_multiplier(a.scale * b.scale / out.scale)
    if max(identity[1], slope[1]) > _MAX_LEFT_SHIFT:
        raise context.unsupported(f"the output scale {out.scale:g} is too fine for inputs of {a.scale:g}, {b.scale:g}")
    return Prelu(identity, slope, (a.zero_point, b.zero_point, out.zero_point))


def sum_or_difference(context: Context) -> Sum:
    """Of an ADD or a SUB with two int8 inputs. UnsupportedError where the output's scale is far too fine for them.

    TFLite Micro divides the scales in double precision for ADD, in float32 for SUB.
    """
    a, b, out = _quantizations(context)
    real = np.float32 if context.op.kind == "SUB" else np.float64
    twice_larger = real(2 * max(a.scale, b.scale))
    output = quantize_multiplier(float(twice_larger / (real(1 << _FRACTION_BITS) * real(out.scale))))
    if output[1] >= 0:
        larger = max(a.scale, b.scale)
        raise context.unsupported(f"the output scale {out.scale:g} is too fine for inputs of {larger:g}")
    low, high = _range(context, out)
    return Sum(
        quantize_multiplier(float(real(a.scale) / twice_larger)),
        quantize_multiplier(float(real(b.scale) / twice_larger)),
        output,
        (a.zero_point, b.zero_point, out.zero_point),
        low,
        high,
        context.op.kind == "SUB",
    )


def product(context: Context) -> Product:
    """Of a MUL with two int8 inputs. UnsupportedError where the output's scale is far too fine for them."""
    a, b, out = _quantizations(context)
    scale = quantize_multiplier(a.scale * b.scale / out.scale)
    if scale[1] > _MAX_LEFT_SHIFT:
        raise context.unsupported(f"the output scale {out.scale:g} is too fine for inputs of {a.scale:g}, {b.scale:g}")
    return Product(scale, (a.zero_point, b.zero_point, out.zero_point), *_range(context, out))


def _quantizations(context: Context) -> tuple[Quantization, Quantization, Quantization]:
    return context.operand(0).quant, context.operand(1).quant, context.result().quant


def _range(context: Context, out: Quantization) -> tuple[int, int]:
    options = context.op.options
    assert isinstance(options, BinaryOptions)
    return activation_range(options.activation, out.scale, out.zero_point)
