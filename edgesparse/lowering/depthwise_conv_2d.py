"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import activation_range
from edgesparse.graph import DepthwiseConv2DOptions
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import Context, channel_scales, fold_bias, round_up, window
from edgesparse.lowering.costs import estimate

__all__ = ["depthwise_x4_scratch_bytes", "lower_depthwise_conv_2d"]

_POINTER_BYTES = 4


def lower_depthwise_conv_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call: groups of 4 channels where the multiplier is 1 and the channels allow it, else one at a time."""
    options = context.op.options
    assert isinstance(options, DepthwiseConv2DOptions)
    source, target = context.activation(0), context.result()
    tensor, weights = context.weights(1)
    _, in_h, in_w, in_c = source.shape
    _, out_h, out_w, out_c = target.shape
    _, kernel_h, kernel_w, filter_c = weights.shape
    if filter_c != out_c or out_c % in_c:
        raise context.unsupported(
            f"{filter_c} filters for {in_c} input and {out_c} output channels; the file is damaged"
        )
    rows = window(options.padding, in_h, out_h, kernel_h, options.stride_h, options.dilation_h, context.where)
    columns = window(options.padding, in_w, out_w, kernel_w, options.stride_w, options.dilation_w, context.where)
    quantization = target.quant
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale, out_c)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    by_channel = np.ascontiguousarray(np.moveaxis(weights[0], 2, 0))  # [out, kh, kw]
    by_channel, values, scales = fold_constant_channels(
        by_channel,
        context.bias(2, out_c),
        scales,
        input_zero_point=source.quant.zero_point,
        output_zero_point=quantization.zero_point,
        low=low,
        high=high,
    )
    bias = fold_bias(context, values, by_channel, source.quant.zero_point, scales)

    taps = kernel_h * kernel_w
    in_groups = in_c == out_c and out_c % 4 == 0
    if in_groups:
        scales = scales.spread(out_c)
        packed = by_channel.reshape(out_c // 4, 4, taps).transpose(0, 2, 1)
        groups = out_c // 4
    else:
        packed = np.moveaxis(by_channel, 0, 2)
        groups = out_c
    function = "es_depthwise_conv_2d_x4_s8" if in_groups else "es_depthwise_conv_2d_s8"
    pixels = out_h * out_w
    work = {
        "calls": 1,
        "pixels": pixels,
        "taps": pixels * taps,
        "groups": pixels * groups,
        "group taps": pixels * groups * taps,
    }
    array = Array("weights", "int8_t", np.ascontiguousarray(packed).reshape(-1), "weights")
    return (
        KernelCall(
            op_index=context.op_index,
            function=function,
            header="es_depthwise_conv_2d.h",
            struct="es_depthwise_conv_2d",
            fields=(
                ("bias", bias.table),
                *scales.fields(),
                ("weights", array),
                ("in_h", in_h),
                ("in_w", in_w),
                ("in_c", in_c),
                ("out_h", out_h),
                ("out_w", out_w),
                ("out_c", out_c),
                ("kernel_h", kernel_h),
                ("kernel_w", kernel_w),
                ("stride_h", rows.stride),
                ("stride_w", columns.stride),
                ("dilation_h", rows.dilation),
                ("dilation_w", columns.dilation),
                ("pad_top", rows.pad),
                ("pad_left", columns.pad),
                ("depth_multiplier", out_c // in_c),
                ("channel_mask", 0xFFFF if scales.per_channel else 0),
                ("input_zero_point", source.quant.zero_point),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=in_groups,
            scratch_bytes=depthwise_x4_scratch_bytes(taps, in_c) if in_groups else 0,
            weight_format="dense",
            reason="dense: depthwise filters are not pruned",
            wide_sums=bias.wide,
            estimated_instructions=estimate(context.core, function, work),
            work=work,
        ),
    )


def depthwise_x4_scratch_bytes(taps: int, in_c: int, pointer_bytes: int = _POINTER_BYTES) -> int:
    """The formula in es_depthwise_conv_2d.h."""
    return round_up(in_c) + taps * pointer_bytes
