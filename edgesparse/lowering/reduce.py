"""Ops that gather several values into one: pooling, MEAN, REDUCE_MAX, SOFTMAX."""

from __future__ import annotations

import math

from edgesparse.fixedpoint import activation_range, mean_multiplier, softmax_exponentials
from edgesparse.graph import Pool2DOptions, SoftmaxOptions
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.context import Context, window
from edgesparse.lowering.kernels import rate
from edgesparse.lowering.shapes import axes_of

__all__ = ["lower_average_pool_2d", "lower_max_pool_2d", "lower_mean", "lower_reduce_max", "lower_softmax"]


_MOST_AVERAGED = (1 << 32) // 257
"""As many times -128, with half as many for rounding, are within int32."""


def lower_average_pool_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call."""
    options = context.op.options
    assert isinstance(options, Pool2DOptions)
    _, in_h, in_w, _ = context.operand(0).shape
    count = min(options.filter_h, in_h) * min(options.filter_w, in_w)
    if count > _MOST_AVERAGED:
        raise context.unsupported(f"an average of {count:,} values may overflow; at most {_MOST_AVERAGED:,}")
    return _pool(context, "es_average_pool_2d_s8")


def lower_max_pool_2d(context: Context) -> tuple[KernelCall, ...]:
    """One call."""
    return _pool(context, "es_max_pool_2d_s8")


def _pool(context: Context, name: str) -> tuple[KernelCall, ...]:
    options = context.op.options
    assert isinstance(options, Pool2DOptions)
    source, target = context.operand(0), context.result()
    _, in_h, in_w, channels = source.shape
    _, out_h, out_w, _ = target.shape
    rows = window(in_h, out_h, options.filter_h, options.stride_h, 1)
    columns = window(in_w, out_w, options.filter_w, options.stride_w, 1)
    low, high = activation_range(options.activation, target.quant.scale, target.quant.zero_point)
    kernel = context.kernel(name)
    return (
        KernelCall(
            op_index=context.op_index,
            function=kernel.function,
            variant=kernel.variant,
            header="es_pool_2d.h",
            struct="es_pool_2d",
            fields=(
                ("in_h", in_h),
                ("in_w", in_w),
                ("channels", channels),
                ("out_h", out_h),
                ("out_w", out_w),
                ("filter_h", rows.kernel),
                ("filter_w", columns.kernel),
                ("stride_h", rows.stride),
                ("stride_w", columns.stride),
                ("pad_top", rows.pad),
                ("pad_left", columns.pad),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=_pool_instructions(kernel.variant, target.elements, rows.kernel, columns.kernel),
        ),
    )


def _pool_instructions(variant: str, outputs: int, filter_h: int, filter_w: int) -> int:
    by_four = 24 + filter_h * (5 + 6 * filter_w) // 4
    return round(outputs * rate(variant, {"dsp": by_four, "portable": 20 + filter_h * (8 + 5 * filter_w)}))


def lower_mean(context: Context) -> tuple[KernelCall, ...]:
    """Over neighbouring axes; axes of size 1 may lie anywhere."""
    source, target = context.operand(0), context.result()
    outer, reduced, inner = _reduced(context, "mean")
    kernel = context.kernel("es_mean_s8")
    rates = {"dsp": 6 * reduced // 4 if inner >= 4 else 5 * reduced, "portable": 5 * reduced}
    multiplier, shift = mean_multiplier(source.quant.scale / target.quant.scale, reduced)
    if reduced * 255 << max(shift, 0) >= 1 << 30:
        raise context.unsupported(f"a mean over {reduced} values may overflow")
    return (
        KernelCall(
            op_index=context.op_index,
            function=kernel.function,
            variant=kernel.variant,
            header="es_mean.h",
            struct="es_mean",
            fields=(
                ("outer", outer),
                ("reduced", reduced),
                ("inner", inner),
                ("offset", -source.quant.zero_point * reduced),
                ("multiplier", multiplier),
                ("shift", shift),
                ("output_zero_point", target.quant.zero_point),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=outer * inner * (40 + round(rate(kernel.variant, rates))),
        ),
    )


def _reduced(context: Context, what: str) -> tuple[int, int, int]:
    """The input as [outer, reduced, inner]."""
    source = context.operand(0)
    rank = len(source.shape)
    axes = axes_of(context.graph, context.op, 1, rank)
    long_axes = [axis for axis in range(rank) if source.shape[axis] > 1]
    reduced_axes = [axis for axis in long_axes if axis in axes]
    run = [axis for axis in long_axes if reduced_axes and reduced_axes[0] <= axis <= reduced_axes[-1]]
    if run != reduced_axes:
        raise context.unsupported(
            f"{what} over axes {sorted(axes)} of {source.shape}: only neighbouring axes have a kernel"
        )
    reduced = math.prod(source.shape[axis] for axis in reduced_axes)
    outer = math.prod(source.shape[: reduced_axes[0]]) if reduced_axes else 1
    return outer, reduced, source.elements // (outer * reduced)


def lower_reduce_max(context: Context) -> tuple[KernelCall, ...]:
    """Max pooling of an image [outer, reduced] with windows that are as wide as it."""
    outer, reduced, inner = _reduced(context, "maximum")
    if max(outer, reduced, inner) > 65535:
        raise context.unsupported(
            f"over {outer} x {reduced} x {inner} values; kernels take at most 65535 along an axis"
        )
    fields = {
        "in_h": outer, "in_w": reduced, "channels": inner, "out_h": outer, "out_w": 1, "filter_h": 1,
        "filter_w": reduced, "stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0, "activation_min": -128,
        "activation_max": 127,
    }  # fmt: skip
    kernel = context.kernel("es_max_pool_2d_s8")
    return (
        KernelCall(
            op_index=context.op_index,
            function=kernel.function,
            variant=kernel.variant,
            header="es_pool_2d.h",
            struct="es_pool_2d",
            fields=tuple(fields.items()),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=_pool_instructions(kernel.variant, outer * inner, 1, reduced),
        ),
    )


def lower_softmax(context: Context) -> tuple[KernelCall, ...]:
    """Over the last axis, with a table of exponentials."""
    options = context.op.options
    assert isinstance(options, SoftmaxOptions)
    source = context.operand(0)
    depth = source.shape[-1] if source.shape else 1
    if depth >= 4096:
        raise context.unsupported(f"{depth} values in a row; at most 4095 sum without overflow")
    exponentials = softmax_exponentials(source.quant.scale, options.beta)
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_softmax_s8",
            header="es_softmax.h",
            struct="es_softmax",
            fields=(
                ("exponentials", Array("exponentials", "int32_t", exponentials, "table")),
                ("rows", source.elements // depth),
                ("depth", depth),
                ("entries", len(exponentials)),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=source.elements // depth * (120 + 45 * depth),
        ),
    )
