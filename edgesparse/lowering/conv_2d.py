"""CONV_2D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from edgesparse.fixedpoint import activation_range
from edgesparse.graph import Conv2DOptions, Int8Array, Int32Array
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose_conv_2d import ConvPacked, choose_conv_2d
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import ChannelScales, Context, FoldedBias, channel_scales, fold_bias, window
from edgesparse.lowering.conv_2d_patches import ConvImage, Gather
from edgesparse.lowering.formats.format import ConvFilters
from edgesparse.lowering.kernels import Refusals, is_written
from edgesparse.lowering.limits import CONV_2D_BIAS, HALF_ACCUMULATOR_SUM
from edgesparse.variants import function_name

__all__ = ["lower_conv_2d"]

ScaleFields: TypeAlias = tuple[tuple[str, Array | None], ...]

_SHIFT_BITS = 5
assert CONV_2D_BIAS == 1 << 31 - _SHIFT_BITS
_LEAST_SHIFT = -22


def lower_conv_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call; the filters [out, kh, kw, in] become rows [out, kh * kw * in]."""
    options = context.op.options
    assert isinstance(options, Conv2DOptions)
    source, target = context.operand(0), context.result()
    tensor, weights = context.weights()
    _, in_h, in_w, in_c = source.shape
    _, out_h, out_w, out_c = target.shape
    _, kernel_h, kernel_w, _ = weights.shape
    rows = window(in_h, out_h, kernel_h, options.stride_h, options.dilation_h)
    columns = window(in_w, out_w, kernel_w, options.stride_w, options.dilation_w)
    quantization = target.quant
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    weights, values, scales = fold_constant_channels(
        weights,
        context.bias(out_c),
        scales,
        input_zero_point=source.quant.zero_point,
        output_zero_point=quantization.zero_point,
        low=low,
        high=high,
        limit=HALF_ACCUMULATOR_SUM,
    )
    bias = fold_bias(context, values, weights, source.quant.zero_point, scales)

    patch = kernel_h * kernel_w * in_c
    in_shape, out_shape = (in_h, in_w), (out_h, out_w)
    if kernel_h * kernel_w * rows.stride * columns.stride == 1 and in_shape == out_shape:
        pixels = in_h * in_w
        if pixels < 1 << 16:  # the same numbers as one row, which is the fast case
            in_shape = out_shape = (1, pixels)
            rows, columns = replace(rows, size=1, out=1), replace(columns, size=pixels, out=pixels)
    image = ConvImage(rows, columns, in_c, clamped=high - low < 255)
    rows_of = weights.reshape(out_c, patch)
    folded = bias.table.values.astype(np.int32)
    filters = ConvFilters(rows_of, *_ends(rows_of, folded), context.core, image, _refusals(bias, scales))
    choice = choose_conv_2d(filters, context.policy)
    gather = choice.patches.gather(in_c)
    scale_fields = _SCALES.get(choice.variant, _plain_scales)
    return (
        KernelCall(
            op_index=context.op_index,
            function=choice.function,
            variant=choice.variant,
            header="es_conv_2d.h",
            struct="es_conv_2d",
            fields=(
                ("gather", gather.function if gather else None),
                *scale_fields(folded, scales.spread(out_c)),
                *choice.fields(),
                ("in_h", in_shape[0]),
                ("in_w", in_shape[1]),
                ("in_c", in_c),
                ("out_h", out_shape[0]),
                ("out_w", out_shape[1]),
                ("out_c", out_c),
                ("kernel_h", kernel_h),
                ("kernel_w", kernel_w),
                ("stride_h", rows.stride),
                ("stride_w", columns.stride),
                ("dilation_h", rows.dilation),
                ("dilation_w", columns.dilation),
                ("pad_top", rows.pad),
                ("pad_left", columns.pad),
                ("input_zero_point", source.quant.zero_point),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=True,
            scratch_bytes=choice.patches.scratch_bytes(patch, in_c),
            weight_format=choice.format,
            reason=choice.reason,
            estimated_instructions=choice.instructions,
            work=choice.work,
            sources=_sources(choice, gather),
        ),
    )


def _ends(weights: Int8Array, bias: Int32Array) -> tuple[Int32Array, Int32Array]:
    """The smallest and the largest sum of each row that int8 inputs can give."""
    wide = weights.astype(np.int64)
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
    return (
        (bias - 128 * positive + 127 * negative).astype(np.int32),
        (bias + 127 * positive - 128 * negative).astype(np.int32),
    )


def _packed_scales(bias: Int32Array, scales: ChannelScales) -> ScaleFields:
    """A channel's shift shares a word with its bias."""
    first = bias << _SHIFT_BITS | np.bitwise_not(scales.shifts.astype(np.int8))
    return (("scales", _pairs(first, scales)), ("shifts", None))


def _plain_scales(bias: Int32Array, scales: ChannelScales) -> ScaleFields:
    less_1 = np.bitwise_not(scales.shifts.astype(np.int8))
    return (("scales", _pairs(bias, scales)), ("shifts", Array("shifts", "int8_t", less_1, "table")))


def _pairs(first: Int32Array, scales: ChannelScales) -> Array:
    pairs = np.stack([first, scales.multipliers], axis=1).astype(np.int32).reshape(-1)
    return Array("scales", "int32_t", pairs, "table")


_SCALES: dict[str, Callable[[Int32Array, ChannelScales], ScaleFields]] = {"dsp": _packed_scales}
"""The struct fields `scales` and `shifts` by variant; others have plain ones."""


def _sources(choice: ConvPacked, gather: Gather | None) -> tuple[str, ...]:
    """What the kernel needs: the loop over filters where that is a file of its own, and what gathers patches."""
    rows = f"es_conv_2d_rows_{choice.format}"
    own = (function_name(rows, choice.variant),) if is_written(rows, choice.variant) else ()
    return (*choice.patches.sources, *own, *((gather.function,) if gather else ()))


def _refusals(folded: FoldedBias, scales: ChannelScales) -> Refusals:
    """Why variants do not take the layer: the tables and the requantization of dsp/ (es_conv_2d_rows.h)."""
    if folded.refusals:
        return folded.refusals
    bias = folded.table.values
    shifts = scales.shifts[(scales.shifts > -1) | (scales.shifts < _LEAST_SHIFT)]
    if shifts.size:
        return {"dsp": f"a scale of about 2^{shifts[0]}, from 2^{_LEAST_SHIFT} to 2^-1 are exact"}
    large = bias[(bias < -CONV_2D_BIAS) | (bias >= CONV_2D_BIAS)]
    if large.size:
        return {"dsp": f"a bias of {large[0]:,}, its table has room for {CONV_2D_BIAS - 1:,}"}
    return {}
