"""FULLY_CONNECTED."""

from __future__ import annotations

from edgesparse.fixedpoint import activation_range
from edgesparse.graph import FullyConnectedOptions
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.choose_fully_connected import choose_fully_connected
from edgesparse.lowering.constant_channels import fold_constant_channels
from edgesparse.lowering.context import Context, channel_scales, fold_bias
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.lowering.limits import PAIR_SUM

__all__ = ["lower_fully_connected"]


def lower_fully_connected(context: Context) -> tuple[KernelCall, ...]:
    """One call; an input of several rows of in_dim runs them one after another."""
    options = context.op.options
    assert isinstance(options, FullyConnectedOptions)
    source, target = context.activation(0), context.result()
    tensor, weights = context.weights(1)
    if weights.ndim != 2:
        raise context.unsupported(f"weights {weights.shape}; expected two axes, outputs and inputs")
    out_dim, in_dim = weights.shape
    rows, rest = divmod(source.elements, in_dim)
    if rest or target.elements != rows * out_dim:
        raise context.unsupported(
            f"input {source.shape} and output {target.shape} do not fit weights {weights.shape}; the file is damaged"
        )
    if rows > 65535:
        raise context.unsupported(f"{rows} rows; at most 65535 have a kernel")
    quantization = target.quant
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale, out_dim, float32_product=True)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    weights, values, scales = fold_constant_channels(
        weights,
        context.bias(2, out_dim),
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
