"""DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import activation_range
from edgesparse.graph import DepthwiseConv2DOptions, Int8Array, Int32Array
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose import joined
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import ChannelScales, Context, Window, channel_scales, fold_bias, round_up, window
from edgesparse.lowering.conv_2d_patches import taps_inside
from edgesparse.lowering.costs import Work, estimate
from edgesparse.lowering.kernels import Chosen, is_written
from edgesparse.lowering.limits import DEPTHWISE_3X3_BIAS
from edgesparse.variants import function_name

__all__ = [
    "depthwise_3x3_scratch_bytes",
    "depthwise_x4_scratch_bytes",
    "lower_depthwise_conv_2d",
    "pack_3x3_scales",
]

_TAP_BYTES = 4  # es_tap.h
_BIAS_BITS_OF_7 = 21
"""Of a bias in a record of 7 bytes; in one of 8 it has 29."""
_STRIP_BYTES = 4096
"""Scratch of a 3x3 kernel, unless two rows of outputs need more."""
_LEAST_SHIFT = -23


def lower_depthwise_conv_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call: groups of 4 channels where the multiplier is 1 and the channels allow it, else one at a time."""
    options = context.op.options
    assert isinstance(options, DepthwiseConv2DOptions)
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
    by_channel = np.ascontiguousarray(np.moveaxis(weights[0], 2, 0))  # [out, kh, kw]
    by_channel, values, scales = fold_constant_channels(
        by_channel,
        context.bias(out_c),
        scales,
        input_zero_point=source.quant.zero_point,
        output_zero_point=quantization.zero_point,
        low=low,
        high=high,
        limit=DEPTHWISE_3X3_BIAS,
    )
    taps = kernel_h * kernel_w
    bias = fold_bias(context, values, by_channel, source.quant.zero_point, scales)
    folded = bias.table.values.astype(np.int32)
    in_groups = in_c == out_c and out_c % 4 == 0
    strip = record = 0
    tables: tuple[tuple[str, Array | None], ...]
    scratch_bytes = 0
    sources: tuple[str, ...] = ()
    taken: Chosen | None = None
    refused = ""
    if (
        in_c == out_c >= 4
        and (kernel_h, kernel_w) == (3, 3)
        and rows.stride == columns.stride <= 2
        and rows.dilation == columns.dilation == 1
        and (low, high) == (-128, 127)
        and _3x3_pays(out_h, out_w, rows.stride, source.nbytes)
    ):
        way = "_stride2" if rows.stride == 2 else "_relu" if quantization.zero_point == -128 else ""
        kernel = f"es_depthwise_conv_2d_3x3{way}_s8"
        if any(is_written(kernel, variant) for variant in context.core.kernels):
            refused = _refused_by_3x3(folded, scales)
            taken = None if refused else context.kernel(kernel)
    if taken is not None:
        stride = rows.stride
        sources = (function_name("es_depthwise_3x3", taken.variant),)
        packed = by_channel
        record, values_of_scales = pack_3x3_scales(folded, scales.spread(out_c))
        scales_table = Array("scales", "int8_t", values_of_scales, "table")
        tables = (("bias", None), ("multipliers", None), ("shifts", None), ("scales", scales_table))
        strip = _strip(out_h, out_w, stride)
        scratch_bytes = depthwise_3x3_scratch_bytes(strip, out_w, stride)
        work = _3x3_work(out_h, out_w, out_c, strip, stride)
    elif in_groups:
        taken = context.kernel("es_depthwise_conv_2d_x4_s8", bias.refusals)
        scales = scales.spread(out_c)
        tables = (("bias", bias.table), *scales.fields(), ("scales", None))
        packed = by_channel.reshape(out_c // 4, 4, taps).transpose(0, 2, 1)
        scratch_bytes = depthwise_x4_scratch_bytes(taps, in_c)
        work = _x4_work(out_h * out_w, out_c, taps, clamped=high - low < 255)
    else:
        taken = context.kernel("es_depthwise_conv_2d_s8", bias.refusals)
        packed = np.moveaxis(by_channel, 0, 2)
        tables = (("bias", Array("bias", "int32_t", values, "table")), *scales.fields(), ("scales", None))
        work = _work(rows, columns, out_c)
    array = Array("weights", "int8_t", np.ascontiguousarray(packed).reshape(-1), "weights")
    return (
        KernelCall(
            op_index=context.op_index,
            function=taken.function,
            variant=taken.variant,
            header="es_depthwise_conv_2d.h",
            struct="es_depthwise_conv_2d",
            fields=(
                *tables,
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
                ("strip", strip),
                ("record", record),
                ("input_zero_point", source.quant.zero_point),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=scratch_bytes > 0,
            scratch_bytes=scratch_bytes,
            sources=sources,
            weight_format="dense",
            reason=joined(
                "dense: depthwise filters are not pruned", refused and f"not the 3x3 kernel: {refused}", taken.note
            ),
            estimated_instructions=estimate(context.core, taken.function, work),
            work=work,
        ),
    )


def depthwise_x4_scratch_bytes(taps: int, in_c: int) -> int:
    """es_depthwise_x4_scratch_bytes."""
    return round_up(in_c) + taps * _TAP_BYTES


def depthwise_3x3_scratch_bytes(strip: int, out_w: int, stride: int) -> int:
    """es_depthwise_3x3_scratch_bytes."""
    return 16 * (strip * stride // 2 + 1) * ((out_w - 1) * stride + 3)


def _refused_by_3x3(bias: Int32Array, scales: ChannelScales) -> str:
    """Why the records and the requantization of the 3x3 kernels do not take every channel, or ""."""
    shifts = scales.shifts[(scales.shifts > -1) | (scales.shifts < _LEAST_SHIFT) | (scales.multipliers < 1 << 30)]
    if shifts.size:
        return f"a scale of about 2^{shifts[0]}, from 2^{_LEAST_SHIFT} to 2^-1 are exact"
    large = bias[(bias < -DEPTHWISE_3X3_BIAS) | (bias >= DEPTHWISE_3X3_BIAS)]
    return f"a bias of {large[0]:,}, its records have room for {DEPTHWISE_3X3_BIAS - 1:,}" if large.size else ""


def pack_3x3_scales(bias: Int32Array, scales: ChannelScales) -> tuple[int, Int8Array]:
    """(bytes of a record, records of all channels): FORMAT.md."""
    limit = 1 << _BIAS_BITS_OF_7 - 1
    record = 7 if np.all((bias >= -limit) & (bias < limit)) else 8
    wide = bias.astype(np.int64)
    first = (wide >> 2 << 5 | ~scales.shifts.astype(np.int64)).astype("<i4")
    second = ((wide & 3) << 30 | scales.multipliers - (1 << 30)).astype("<u4")
    halves = [half.view(np.int8).reshape(len(bias), 4) for half in (first, second)]
    return record, np.concatenate([halves[0][:, : record - 4], halves[1]], axis=1).reshape(-1)


def _strip(out_h: int, out_w: int, stride: int) -> int:
    """Output rows, even: as many as _STRIP_BYTES of scratch allow, in strips of about the same height."""
    strip = 2
    while strip < out_h and depthwise_3x3_scratch_bytes(strip + 2, out_w, stride) <= _STRIP_BYTES:
        strip += 2
    strips = -(-out_h // strip)
    return round_up(-(-out_h // strips), 2)


def _3x3_pays(out_h: int, out_w: int, stride: int, input_bytes: int) -> bool:
    """Whether the scratch is in proportion: two rows of outputs of a very wide image need a lot of it."""
    return depthwise_3x3_scratch_bytes(_strip(out_h, out_w, stride), out_w, stride) <= max(
        2 * _STRIP_BYTES, input_bytes // 4
    )


def _3x3_work(out_h: int, out_w: int, channels: int, strip: int, stride: int) -> Work:
    """Of es_depthwise_3x3_dsp.c: channels in groups of four; with stride 1 two rows and two columns at once."""
    groups, strips = -(-channels // 4), -(-out_h // strip)
    halves = 3 - stride
    pair_rows = -(-out_h // halves) + strips
    columns = (out_w - 1) * stride + 3
    rows = 4 * groups * -(-out_h // halves)
    work = {
        "cleared": pair_rows * columns,
        "group strips": groups * strips,
        "pair rows": groups * pair_rows,
        "pairs": groups * pair_rows * columns,
        "rows": rows,
        "steps": rows * (out_w // halves),
    }
    return work if stride == 2 else {**work, "odd steps": rows * (out_w % 2)}


def _x4_work(pixels: int, channels: int, taps: int, clamped: bool) -> Work:
    groups = pixels * channels // 4
    work = {"calls": 1, "pixels": pixels, "taps": pixels * taps, "groups": groups, "group taps": groups * taps}
    return {**work, "clamped": pixels * channels} if clamped else work


def _work(rows: Window, columns: Window, channels: int) -> Work:
    """Of es_depthwise_conv_2d_s8.c, which visits only taps inside of the image."""
    pixels, inside = rows.out * columns.out, taps_inside(rows)
    return {
        "pixels": pixels,
        "channels": pixels * channels,
        "channel rows": inside * columns.out * channels,
        "channel taps": inside * taps_inside(columns) * channels,
    }
