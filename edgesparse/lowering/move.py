"""Ops that only move values: RESHAPE and its kin, PAD, CONCATENATION, RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from edgesparse.graph import ConcatenationOptions, ResizeNearestOptions
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.context import Context
from edgesparse.lowering.shapes import integers_of

__all__ = ["lower_concatenation", "lower_pad", "lower_reshape", "lower_resize_nearest_neighbor"]


def lower_reshape(_context: Context) -> tuple[KernelCall, ...]:
    """No call: the output is the input's memory."""
    return ()


def lower_pad(context: Context) -> tuple[KernelCall, ...]:
    """Up to 4 axes; pads with the output's zero point."""
    source, target = context.operand(0), context.result()
    before = integers_of(context.operand(1))[0::2]
    leading = 4 - len(source.shape)
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
        count = context.operand(position).shape[axis] * inner
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
    return tuple(calls)


def lower_resize_nearest_neighbor(context: Context) -> tuple[KernelCall, ...]:
    """With tables that say which row and which column each output comes from."""
    options = context.op.options
    assert isinstance(options, ResizeNearestOptions)
    source, target = context.operand(0), context.result()
    rows, columns = (_nearest(source.shape[axis], target.shape[axis], options) for axis in (1, 2))
    return (
        KernelCall(
            op_index=context.op_index,
            function="es_resize_nearest_s8",
            header="es_resize_nearest.h",
            struct="es_resize_nearest",
            fields=(
                ("rows", Array("rows", "uint16_t", rows, "table")),
                ("columns", Array("columns", "uint16_t", columns, "table")),
                ("in_w", source.shape[2]),
                ("channels", source.shape[3]),
                ("out_h", target.shape[1]),
                ("out_w", target.shape[2]),
            ),
            inputs=(context.op.inputs[0],),
            output=context.op.outputs[0],
            estimated_instructions=target.shape[1] * target.shape[2] * (20 + source.shape[3] // 2),
        ),
    )


def _nearest(size: int, out: int, options: ResizeNearestOptions) -> npt.NDArray[np.uint16]:
    """Which of `size` inputs each of `out` outputs takes, in float32 as TFLite computes it."""
    corners = options.align_corners and out > 1
    scale = np.float32(size - 1) / np.float32(out - 1) if corners else np.float32(size) / np.float32(out)
    positions = (np.arange(out).astype(np.float32) + np.float32(0.5 * options.half_pixel_centers)) * scale
    nearest = np.floor(positions + np.float32(0.5)) if options.align_corners else np.floor(positions)
    result: npt.NDArray[np.uint16] = np.clip(nearest, 0, size - 1).astype(np.uint16)
    return result
