"""FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from edgesparse.fixedpoint import activation_range
from edgesparse.graph import FullyConnectedOptions, Quantization
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose_fully_connected import choose_fully_connected
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import Context, channel_scales, fold_bias
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.lowering.limits import PAIR_SUM

__all__ = ["lower_fully_connected"]

_BIAS_SCALE_TOLERANCE = 0.02
"""As a share of the output's scale."""


def lower_fully_connected(context: Context) -> tuple[KernelCall, ...]:
    """One call; an input of several rows of in_dim runs them one after another."""
    options = context.op.options
    assert isinstance(options, FullyConnectedOptions)
    source, target = context.operand(0), context.result()
    tensor, weights = context.weights()
    out_dim, in_dim = weights.shape
    rows = source.elements // in_dim
    if rows > 65535:
        raise context.unsupported(f"{rows} rows; at most 65535 have a kernel")
    quantization = target.quant
    _check_bias_scale(context, source.quant.scale, tensor.quant, quantization.scale)
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale, float32_product=True)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    weights, values, scales = fold_constant_channels(
        weights,
        context.bias(out_dim),
        scales,
        input_zero_point=source.quant.zero_point,
        output_zero_point=quantization.zero_point,
        low=low,
        high=high,
        limit=PAIR_SUM,
    )
    bias = fold_bias(context, values, weights, source.quant.zero_point, scales)

    layer = FcLayer(
        weights,
        bias.table.values,
        scales,
        context.core,
        rows,
        clamped=high - low < 255,
        input_zero_point=source.quant.zero_point,
        zero_inputs=context.zero_inputs,
        refusals=bias.refusals,
    )
    choice = choose_fully_connected(layer, context.policy)
    return (
        KernelCall(
            op_index=context.op_index,
            function=choice.function,
            variant=choice.variant,
            header="es_fully_connected.h",
            struct="es_fully_connected",
            fields=(
                ("bias", Array("bias", "int32_t", choice.bias, "table")),
                *scales.fields(),
                ("weights", choice.weights),
                ("gaps", choice.gaps),
                ("counts", choice.counts),
                ("in_dim", in_dim),
                ("out_dim", out_dim),
                ("channel_mask", 0xFFFFFFFF if scales.per_channel else 0),
                ("rows", rows),
                ("input_zero_point", source.quant.zero_point),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=choice.scratch_bytes > 0,
            scratch_bytes=choice.scratch_bytes,
            weight_format=choice.format,
            reason=choice.reason,
            estimated_instructions=choice.instructions,
            work=choice.work,
        ),
    )


def _check_bias_scale(context: Context, input_scale: float, weights: Quantization, output_scale: float) -> None:
    """GetQuantizedConvolutionMultiplier of kernel_util.cc refuses a bias at a scale that is not that of the sums."""
    bias = context.graph.optional_input(context.op, 2)
    if bias is None or weights.per_channel:
        return
    product = float(np.float32(input_scale)) * float(np.float32(weights.scale))
    bias_scale = bias.quantization.scale if bias.quantization is not None else 0.0
    if abs(product - bias_scale) / output_scale > _BIAS_SCALE_TOLERANCE:
        raise context.unsupported(f"bias has scale {bias_scale:g}, expected {product:g}; TFLite Micro refuses this too")
