"""CONV_2D."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgesparse.boards import Core
from edgesparse.fixedpoint import activation_range
from edgesparse.graph import Conv2DOptions, Int8Array, Int32Array
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import ChannelScales, Context, channel_scales, fold_bias, round_up, window
from edgesparse.lowering.conv_2d_formats import ConvFilters, choose_conv_2d
from edgesparse.lowering.conv_2d_work import ConvImage

__all__ = ["conv_2d_scratch_bytes", "lower_conv_2d"]

_SHIFT_BITS = 5
_BIAS_LIMIT = 1 << 31 - _SHIFT_BITS


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
    )
    bias = fold_bias(context, values, weights, source.quant.zero_point, scales)

    patch = kernel_h * kernel_w * in_c
    in_shape, out_shape = (in_h, in_w), (out_h, out_w)
    if kernel_h * kernel_w * rows.stride * columns.stride == 1 and in_shape == out_shape:
        pixels = in_h * in_w
        if pixels < 1 << 16:  # the same numbers as one row, which is the fast case
            in_shape = out_shape = (1, pixels)
            rows, columns = replace(rows, size=1, out=1), replace(columns, size=pixels, out=pixels)
    image = ConvImage(context.core, rows, columns, in_c, clamped=high - low < 255)
    rows_of = weights.reshape(out_c, patch)
    folded = bias.table.values.astype(np.int32)
    filters = ConvFilters(rows_of, *_ends(rows_of, folded), image)
    choice = choose_conv_2d(filters, context.policy)
    scales = scales.spread(out_c)
    gather, sources = _gather(context.core, choice.format, in_c)
    return (
        KernelCall(
            op_index=context.op_index,
            function=f"es_conv_2d_{choice.format}_s8",
            header="es_conv_2d.h",
            struct="es_conv_2d",
            fields=(
                ("gather", gather),
                *_scale_fields(context.core, folded, scales),
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
            scratch_bytes=conv_2d_scratch_bytes(context.core, choice.format, patch, in_c),
            weight_format=choice.format,
            reason=choice.reason,
            wide_sums=bias.wide or not _scales_fit(folded, scales),
            estimated_instructions=choice.instructions,
            work=choice.work,
            sources=sources,
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


def _scale_fields(core: Core, bias: Int32Array, scales: ChannelScales) -> tuple[tuple[str, Array | None], ...]:
    """The struct fields `scales` and `shifts`: with DSP a channel's shift shares a word with its bias."""
    less_1 = np.bitwise_not(scales.shifts.astype(np.int8))
    shifts = None if core.has_dsp else Array("shifts", "int8_t", less_1, "table")
    first = bias << _SHIFT_BITS | less_1 if core.has_dsp else bias
    pairs = np.stack([first, scales.multipliers], axis=1).astype(np.int32).reshape(-1)
    return (("scales", Array("scales", "int32_t", pairs, "table")), ("shifts", shifts))


def _gather(core: Core, format: str, in_c: int) -> tuple[str | None, tuple[str, ...]]:
    """The struct field `gather`, and the sources that the kernel needs."""
    if not core.has_dsp:
        return None, ("es_patch_s8",)
    blocks = "es_patch_bytes_s16" if in_c % 4 else "es_patch_block_s16"
    gather = "es_patch_pair_s32" if format in ("delta8", "delta4") else blocks
    return gather, ("es_conv_2d_groups", f"es_conv_2d_rows_{format}", gather)


def _scales_fit(bias: Int32Array, scales: ChannelScales) -> bool:
    """Whether the tables and the requantization of dsp/ (es_conv_2d_rows.h) take every channel's bias and shift."""
    shifts = np.all((scales.shifts <= -1) & (scales.shifts >= -22))
    return bool(shifts and np.all((bias >= -_BIAS_LIMIT) & (bias < _BIAS_LIMIT)))


def conv_2d_scratch_bytes(core: Core, format: str, patch: int, in_c: int) -> int:
    """The formula in es_conv_2d.h."""
    if not core.has_dsp:
        return 4 * round_up(patch)
    if format in ("delta8", "delta4"):
        return 16 * patch + round_up(in_c)
    return 12 * round_up(patch) + round_up(in_c) + (round_up(patch) + 4 if in_c % 4 else 0)
