"""Ops of one input that read each value once: lookups, QUANTIZE, DEQUANTIZE."""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import (
    hard_swish_table,
    leaky_relu_table,
    logistic_table,
    relu6_table,
    relu_table,
    requantize_table,
    tanh_table,
)
from edgesparse.graph import Int8Array, LeakyReluOptions
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.context import Context

__all__ = [
    "lower_dequantize",
    "lower_hard_swish",
    "lower_leaky_relu",
    "lower_logistic",
    "lower_quantize",
    "lower_relu",
    "lower_relu6",
    "lower_tanh",
]


def _lookup(context: Context, table: Int8Array) -> tuple[KernelCall, ...]:
    elements = context.result().elements
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_lookup_s8",
            header="es_lookup.h",
            struct="es_lookup",
            fields=(("table", Array("table", "int8_t", table, "table")), ("elements", elements)),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            in_place=(0,),
            estimated_instructions=6 * elements,
        ),
    )


def lower_logistic(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    source = context.operand(0).quant
    return _lookup(context, logistic_table(source.scale, source.zero_point))


def lower_tanh(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    source = context.operand(0).quant
    return _lookup(context, tanh_table(source.scale, source.zero_point))


def lower_leaky_relu(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    options = context.op.options
    assert isinstance(options, LeakyReluOptions)
    if not options.alpha >= 0:
        raise context.unsupported(f"a slope of {options.alpha:g} has no kernel; use one of 0 or more")
    source, target = context.operand(0).quant, context.result().quant
    table = leaky_relu_table(source.scale, source.zero_point, target.scale, target.zero_point, options.alpha)
    return _lookup(context, table)


def lower_hard_swish(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    source, target = context.operand(0).quant, context.result().quant
    return _lookup(context, hard_swish_table(source.scale, source.zero_point, target.scale, target.zero_point))


def lower_relu(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values; TFLM divides the scales in float32 here."""
    source, target = context.operand(0).quant, context.result().quant
    real = float(np.float32(source.scale) / np.float32(target.scale))
    return _lookup(context, relu_table(real, source.zero_point, target.zero_point))


def lower_relu6(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values. TFLM clamps without rescaling, which is right for equal quantizations only."""
    source = context.operand(0).quant
    return _lookup(context, relu6_table(source.scale, source.zero_point))


def lower_quantize(context: Context) -> tuple[KernelCall, ...]:
    """From int8 as a table; from float32 by division."""
    source, target = context.operand(0), context.result()
    if source.dtype == np.int8:
        a, b = source.quant, target.quant
        return _lookup(context, requantize_table(a.scale / b.scale, a.zero_point, b.zero_point))
    fields = (
        ("scale", target.quant.scale),
        ("elements", context.result().elements),
        ("zero_point", target.quant.zero_point),
    )
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_quantize_f32_s8",
            header="es_quantize.h",
            struct="es_quantize",
            fields=fields,
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=30 * target.elements,
        ),
    )


def lower_dequantize(context: Context) -> tuple[KernelCall, ...]:
    """int8 to float32."""
    source, target = context.operand(0), context.result()
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_dequantize_s8_f32",
            header="es_quantize.h",
            struct="es_quantize",
            fields=(
                ("scale", source.quant.scale),
                ("elements", context.result().elements),
                ("zero_point", source.quant.zero_point),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=9 * target.elements,
        ),
    )
