"""Ops without weights that read each value once: ADD, lookups, QUANTIZE, DEQUANTIZE."""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import (
    activation_range,
    logistic_table,
    quantize_multiplier,
    relu6_table,
    relu_table,
    requantize_table,
    tanh_table,
)
from edgesparse.graph import AddOptions, Int8Array
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.context import Context
from edgesparse.lowering.linear_add import AddScaling, linear_add

__all__ = [
    "lower_add",
    "lower_dequantize",
    "lower_logistic",
    "lower_quantize",
    "lower_relu",
    "lower_relu6",
    "lower_tanh",
]


def lower_add(context: Context) -> tuple[KernelCall, ...]:
    """Equal shapes only."""
    options = context.op.options
    assert isinstance(options, AddOptions)
    first, second, target = context.activation(0), context.activation(1), context.result()
    if first.shape != second.shape or first.shape != target.shape:
        raise context.unsupported(f"shapes {first.shape} and {second.shape} differ; broadcasting has no kernel")
    inputs = context.op.inputs[:2]
    a, b, out = first.quant, second.quant, target.quant
    if a.scale < b.scale:  # the kernel's first input is the one with the larger scale
        a, b = b, a
        inputs = (inputs[1], inputs[0])
    twice_larger = 2 * a.scale
    multiplier_2, shift_2 = quantize_multiplier(b.scale / twice_larger)
    multiplier_out, shift_out = quantize_multiplier(twice_larger / ((1 << 20) * out.scale))
    if shift_out >= 0:
        raise context.unsupported(f"the output scale {out.scale:g} is too fine for inputs of {a.scale:g}")
    low, high = activation_range(options.activation, out.scale, out.zero_point)
    scaling = AddScaling(
        quantize_multiplier(0.5),
        (multiplier_2, shift_2),
        (multiplier_out, shift_out),
        (a.zero_point, b.zero_point, out.zero_point),
    )
    linear = linear_add(scaling, a.scale / out.scale, b.scale / out.scale) if (low, high) == (-128, 127) else None
    if linear:
        return (
            KernelCall(
                op_index=context.op_index,
                function="es_add_linear_s8",
                header="es_add.h",
                struct="es_add_linear",
                fields=(
                    ("elements", target.elements),
                    ("factor_1", linear.a),
                    ("factor_2", linear.b),
                    ("constant", linear.c),
                ),
                inputs=inputs,
                output=context.op.outputs[0],
                in_place=(0, 1),
                reason="one linear form gives all 65,536 sums",
                estimated_instructions=target.elements * (7 if context.core.has_dsp else 20),
            ),
        )
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_add_s8",
            header="es_add.h",
            struct="es_add",
            fields=(
                ("elements", target.elements),
                ("multiplier_2", multiplier_2),
                ("multiplier_out", multiplier_out),
                ("shift_2", shift_2),
                ("shift_out", shift_out),
                ("zero_point_1", a.zero_point),
                ("zero_point_2", b.zero_point),
                ("zero_point_out", out.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=inputs,
            output=context.op.outputs[0],
            in_place=(0, 1),
            estimated_instructions=target.elements * (29 if context.core.has_dsp else 45),
        ),
    )


def _lookup(context: Context, table: Int8Array) -> tuple[KernelCall, ...]:
    elements = context.graph.output(context.op).elements
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


def _expect_output(context: Context, scale: float, zero_point: int) -> None:
    """LOGISTIC and TANH have a fixed output quantization, as in TFLite's specification."""
    out = context.result().quant
    if out.scale != scale or out.zero_point != zero_point:
        raise context.unsupported(
            f"output scale {out.scale:g}, zero point {out.zero_point}; expected {scale:g}, {zero_point}"
        )


def lower_logistic(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    _expect_output(context, 1 / 256, -128)
    source = context.activation(0).quant
    return _lookup(context, logistic_table(source.scale, source.zero_point))


def lower_tanh(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values."""
    _expect_output(context, 1 / 128, 0)
    source = context.activation(0).quant
    return _lookup(context, tanh_table(source.scale, source.zero_point))


def lower_relu(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values; TFLM divides the scales in float32 here."""
    source, target = context.activation(0).quant, context.result().quant
    real = float(np.float32(source.scale) / np.float32(target.scale))
    return _lookup(context, relu_table(real, source.zero_point, target.zero_point))


def lower_relu6(context: Context) -> tuple[KernelCall, ...]:
    """A table of 256 values. TFLM clamps without rescaling, which is right for equal quantizations only."""
    source, target = context.activation(0), context.result()
    context.same_quantization(source, target)
    return _lookup(context, relu6_table(source.quant.scale, source.quant.zero_point))


def lower_quantize(context: Context) -> tuple[KernelCall, ...]:
    """From int8 as a table; from float32 by division."""
    source, target = context.graph.input(context.op, 0), context.result()
    if source.dtype == np.int8:
        a, b = context.activation(0).quant, target.quant
        return _lookup(context, requantize_table(a.scale / b.scale, a.zero_point, b.zero_point))
    if source.dtype != np.float32:
        raise context.unsupported(f"input is {source.dtype}, expected int8 or float32")
    fields = (
        ("scale", target.quant.scale),
        ("elements", target.elements),
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
    source, target = context.activation(0), context.graph.output(context.op)
    if target.dtype != np.float32:
        raise context.unsupported(f"output is {target.dtype}, expected float32")
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_dequantize_s8_f32",
            header="es_quantize.h",
            struct="es_quantize",
            fields=(
                ("scale", source.quant.scale),
                ("elements", target.elements),
                ("zero_point", source.quant.zero_point),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=9 * target.elements,
        ),
    )
