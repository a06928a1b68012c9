"""ADD, SUB and MUL, of two activations or with a constant."""

from __future__ import annotations

from typing import TypeVar

from edgesparse.lowering.broadcast import Broadcast, broadcast
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.channelwise import constant_position, lower_channelwise
from edgesparse.lowering.context import Context
from edgesparse.lowering.kernels import rate
from edgesparse.lowering.linear_add import linear_add
from edgesparse.lowering.two_bytes import Product, Sum, product, sum_or_difference

__all__ = ["lower_mul", "lower_sum"]

_T = TypeVar("_T")


def lower_mul(context: Context) -> tuple[KernelCall, ...]:
    """A product and a rescaling."""
    if constant_position(context.graph, context.op) is not None:
        return lower_channelwise(context)
    swapped, repeats = _broadcast(context)
    values = product(context)
    inputs = _swap((context.op.inputs[0], context.op.inputs[1]), swapped)
    elements = context.result().elements
    kernel = context.kernel("es_mul_s8")
    return (
        KernelCall(
            op_index=context.op_index,
            function=kernel.function,
            variant=kernel.variant,
            header="es_mul.h",
            struct="es_mul",
            fields=(
                *_broadcast_fields(repeats),
                ("multiplier", values.scale[0]),
                ("shift", values.scale[1]),
                *_byte_fields(values, swapped),
            ),
            inputs=inputs,
            output=context.op.outputs[0],
            in_place=_in_place(repeats),
            estimated_instructions=round(elements * rate(kernel.variant, {"dsp": 15, "portable": 32}))
            + 12 * repeats.outer,
        ),
    )


def lower_sum(context: Context) -> tuple[KernelCall, ...]:
    """ADD and SUB: one linear form where that is exact, the reference's three rescalings where not."""
    if constant_position(context.graph, context.op) is not None:
        return lower_channelwise(context)
    swapped, repeats = _broadcast(context)
    values = sum_or_difference(context)
    a, b, out = (context.operand(0).quant, context.operand(1).quant, context.result().quant)
    if repeats.outer == 1 and repeats.step_inner == 1:
        sign = -1 if values.difference else 1
        unclamped = (values.low, values.high) == (-128, 127)
        linear = linear_add(values, a.scale / out.scale, sign * b.scale / out.scale) if unclamped else None
        if linear:
            fields = (("factor_1", linear.a), ("factor_2", linear.b), ("constant", linear.c))
            return (_linear_call(context, fields),)
        if not values.difference:
            return (_equal_call(context, values, swapped=a.scale < b.scale),)
    return (_general_call(context, values, repeats, swapped=swapped),)


def _linear_call(context: Context, fields: tuple[tuple[str, int], ...]) -> KernelCall:
    elements = context.result().elements
    kernel = context.kernel("es_add_linear_s8")
    return KernelCall(
        op_index=context.op_index,
        function=kernel.function,
        variant=kernel.variant,
        header="es_add.h",
        struct="es_add_linear",
        fields=(("elements", elements), *fields),
        inputs=context.op.inputs[:2],
        output=context.op.outputs[0],
        in_place=(0, 1),
        reason="one linear form gives all 65,536 sums",
        estimated_instructions=round(elements * rate(kernel.variant, {"dsp": 7, "portable": 20})),
    )


def _equal_call(context: Context, values: Sum, *, swapped: bool) -> KernelCall:
    """ADD of equal shapes. The kernel's first input is the one with the larger scale: its multiplier is one half."""
    elements = context.result().elements
    multiplier_2, shift_2 = values.first if swapped else values.second
    kernel = context.kernel("es_add_s8")
    return KernelCall(
        op_index=context.op_index,
        function=kernel.function,
        variant=kernel.variant,
        header="es_add.h",
        struct="es_add",
        fields=(
            ("elements", elements),
            ("multiplier_2", multiplier_2),
            ("multiplier_out", values.output[0]),
            ("shift_2", shift_2),
            ("shift_out", values.output[1]),
            *_byte_fields(values, swapped),
        ),
        inputs=_swap((context.op.inputs[0], context.op.inputs[1]), swapped),
        output=context.op.outputs[0],
        in_place=(0, 1),
        estimated_instructions=round(elements * rate(kernel.variant, {"dsp": 29, "portable": 45})),
    )


def _general_call(context: Context, values: Sum, repeats: Broadcast, *, swapped: bool) -> KernelCall:
    """What the other two kernels do not take: one input repeated, and differences that are no linear form."""
    (multiplier_1, shift_1), (multiplier_2, shift_2) = _swap((values.first, values.second), swapped)
    sign_1, sign_2 = _swap((1, -1 if values.difference else 1), swapped)
    inputs = _swap((context.op.inputs[0], context.op.inputs[1]), swapped)
    return KernelCall(
        op_index=context.op_index,
        function="es_add_broadcast_s8",
        header="es_add.h",
        struct="es_add_broadcast",
        fields=(
            *_broadcast_fields(repeats),
            ("multiplier_1", multiplier_1),
            ("multiplier_2", multiplier_2),
            ("multiplier_out", values.output[0]),
            ("shift_1", shift_1),
            ("shift_2", shift_2),
            ("shift_out", values.output[1]),
            ("sign_1", sign_1),
            ("sign_2", sign_2),
            *_byte_fields(values, swapped),
        ),
        inputs=inputs,
        output=context.op.outputs[0],
        in_place=_in_place(repeats),
        estimated_instructions=context.result().elements * 60,
    )


def _broadcast(context: Context) -> tuple[bool, Broadcast]:
    """Whether the second input is the larger one, and how the smaller one repeats."""
    if any(context.operand(position).data is not None for position in (0, 1)):
        raise context.unsupported(
            "there is a kernel for a constant that repeats along the other input, not the reverse"
        )
    first, second, target = context.operand(0).shape, context.operand(1).shape, context.result().shape
    for swapped, (larger, smaller) in ((False, (first, second)), (True, (second, first))):
        found = broadcast(larger, smaller)
        if larger == target and found is not None:
            return swapped, found
    raise context.unsupported(
        f"shapes {first} and {second} give {target}; there are kernels for equal shapes, for one value per channel and"
        " for one value per position"
    )


def _broadcast_fields(repeats: Broadcast) -> tuple[tuple[str, int], ...]:
    return (
        ("outer", repeats.outer),
        ("inner", repeats.inner),
        ("step_outer", repeats.step_outer),
        ("step_inner", repeats.step_inner),
    )


def _byte_fields(values: Sum | Product, swapped: bool) -> tuple[tuple[str, int], ...]:
    """What all three kernels end with."""
    zero_point_1, zero_point_2 = _swap(values.zero_points[:2], swapped)
    return (
        ("zero_point_1", zero_point_1),
        ("zero_point_2", zero_point_2),
        ("zero_point_out", values.zero_points[2]),
        ("activation_min", values.low),
        ("activation_max", values.high),
    )


def _in_place(repeats: Broadcast) -> tuple[int, ...]:
    """The smaller input is read again and again, and has no room for the output anyway."""
    return (0, 1) if repeats.outer == 1 and repeats.step_inner == 1 else (0,)


def _swap(pair: tuple[_T, _T], swapped: bool) -> tuple[_T, _T]:
    return (pair[1], pair[0]) if swapped else pair
