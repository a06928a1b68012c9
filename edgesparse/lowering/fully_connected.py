"""FULLY_CONNECTED."""

from __future__ import annotations

from edgesparse.boards import Core
from edgesparse.fixedpoint import activation_range
from edgesparse.graph import FullyConnectedOptions
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.choose import Cost, choose
from edgesparse.lowering.context import Context, channel_scales, fold_bias, round_up

__all__ = ["fully_connected_cost", "fully_connected_scratch_bytes", "lower_fully_connected"]


def lower_fully_connected(context: Context) -> tuple[KernelCall, ...]:
    """One call; an input of several rows of in_dim runs them one after another."""
    options = context.op.options
    assert isinstance(options, FullyConnectedOptions)
    source, target = context.activation(0), context.result()
    tensor, weights = context.weights(1)
    out_dim, in_dim = weights.shape
    rows, rest = divmod(source.elements, in_dim)
    if rest or target.elements != rows * out_dim:
        raise context.unsupported(
            f"input {source.shape} and output {target.shape} do not fit weights {weights.shape}; the file is damaged"
        )
    quantization = target.quant
    scales = channel_scales(source.quant.scale, tensor.quant, quantization.scale, out_dim, float32_product=True)
    low, high = activation_range(options.activation, quantization.scale, quantization.zero_point)
    bias = fold_bias(context, context.bias(2, out_dim), weights, source.quant.zero_point, scales)

    excluded = frozenset(format for kind, format in context.excluded if kind == context.op.kind)
    choice = choose(weights, fully_connected_cost(context.core, rows, in_dim), excluded)
    scratch_bytes = fully_connected_scratch_bytes(context.core, choice.format, in_dim)
    return (
        KernelCall(
            op_index=context.op_index,
            function=f"es_fully_connected_{choice.format}_s8",
            header="es_fully_connected.h",
            struct="es_fully_connected",
            fields=(
                ("bias", bias),
                *scales.fields(),
                *choice.fields(),
                ("in_dim", in_dim),
                ("out_dim", out_dim),
                ("channel_mask", 0xFFFFFFFF if scales.per_channel else 0),
                ("rows", rows),
                ("output_zero_point", quantization.zero_point),
                ("activation_min", low),
                ("activation_max", high),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            takes_scratch=scratch_bytes > 0,
            scratch_bytes=scratch_bytes,
            weight_format=choice.format,
            reason=choice.reason,
            estimated_instructions=choice.instructions,
        ),
    )


def fully_connected_scratch_bytes(core: Core, format: str, in_dim: int) -> int:
    """The formula in es_fully_connected.h."""
    if format == "delta8":
        return 0
    return round_up(in_dim) * (2 if core.has_dsp else 1)


def fully_connected_cost(core: Core, rows: int, in_dim: int) -> Cost:
    """Per input row; the slopes are counted from gcc 12's -O2 code."""
    if core.has_dsp:
        return Cost(rows, 30 + 1.5 * in_dim, 26, per_dense_4=6, per_block=10, per_entry=6)
    return Cost(rows, 30 + 1.5 * in_dim, 32, per_dense_4=20, per_block=22, per_entry=8)
