"""Ops that only move values: RESHAPE and its kin, PAD, CONCATENATION."""

from __future__ import annotations

import math

from edgesparse.graph import ConcatenationOptions
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.context import Context

__all__ = ["lower_concatenation", "lower_pad", "lower_reshape"]


def lower_reshape(context: Context) -> tuple[KernelCall, ...]:
    """No call: the output is the input's memory."""
    source, target = context.graph.input(context.op, 0), context.graph.output(context.op)
    if source.nbytes != target.nbytes:
        raise context.unsupported(f"{source.shape} does not reshape to {target.shape}; the file is damaged")
    if source.data is not None:
        raise context.unsupported("the input is a constant; fold it before converting")
    return ()


def lower_pad(context: Context) -> tuple[KernelCall, ...]:
    """Up to 4 axes; pads with the output's zero point."""
    source, target = context.activation(0), context.result()
    context.same_quantization(source, target)
    rank = len(source.shape)
    if rank > 4:
        raise context.unsupported(f"{rank} axes; at most 4 have a kernel")
    pairs = context.integers(1)
    before, after = pairs[0::2], pairs[1::2]
    if len(pairs) != 2 * rank or any(
        size + low + high != out or low < 0 or high < 0
        for size, low, high, out in zip(source.shape, before, after, target.shape, strict=True)
    ):
        raise context.unsupported(f"padding {pairs} does not take {source.shape} to {target.shape}")
    leading = 4 - rank
    shapes = {
        "in_shape": (1,) * leading + source.shape,
        "out_shape": (1,) * leading + target.shape,
        "before": (0,) * leading + before,
    }
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_pad_s8",
            header="es_pad.h",
            struct="es_pad",
            fields=(
                *((name, "{" + ", ".join(map(str, values)) + "}") for name, values in shapes.items()),
                ("value", target.quant.zero_point),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=target.elements + 20 * math.prod(source.shape[:-1]),
        ),
    )


def lower_concatenation(context: Context) -> tuple[KernelCall, ...]:
    """One call per input, each copying into its place."""
    options = context.op.options
    assert isinstance(options, ConcatenationOptions)
    if options.activation != "NONE":
        raise context.unsupported(f"fused activation {options.activation} has no kernel")
    target = context.result()
    axis = options.axis % len(target.shape)
    inner = math.prod(target.shape[axis + 1 :])
    outer = math.prod(target.shape[:axis])
    out_stride = target.shape[axis] * inner
    calls = []
    offset = 0
    for position, tensor in enumerate(context.op.inputs):
        source = context.activation(position)
        context.same_quantization(source, target)
        count = source.shape[axis] * inner
        calls.append(
            KernelCall(
                op_index=context.op_index,
                function="es_concatenation_s8",
                header="es_concatenation.h",
                struct="es_concatenation",
                fields=(("outer", outer), ("bytes", count), ("out_stride", out_stride), ("offset", offset)),
                inputs=(tensor,),
                output=context.op.outputs[0],
                estimated_instructions=outer * (20 + count // 2),
            )
        )
        offset += count
    if offset != out_stride:
        raise context.unsupported(f"inputs add up to {offset} of {out_stride} values; the file is damaged")
    return tuple(calls)
