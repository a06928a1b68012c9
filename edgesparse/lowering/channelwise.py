"""ADD, SUB, MUL and their kin with a constant: a function of one byte for each channel, whatever the op.

What the converter leaves of a BatchNormalization that it cannot fold into a convolution is a MUL and an ADD with one
constant per channel. With the constant known, all 256 outputs of a channel are known too, and a line gives them, or two
(see lines). Two such ops in a row are one kernel call, which reads and writes each value once: the first has none, and
its output is its input's memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Graph, Int8Array, Int32Array, Op
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.lowering.context import Context
from edgesparse.lowering.kernels import rate
from edgesparse.lowering.lines import Lines, fit_lines, fit_pieces
from edgesparse.lowering.two_bytes import TwoBytes, prelu, product, sum_or_difference

__all__ = ["constant_position", "lower_channelwise", "pairs_of"]

IntArray: TypeAlias = npt.NDArray[np.int64]

IN_PIECES = -(1 << 31) + 1
BY_TABLE = -(1 << 31)
"""The factors of channels that are two lines, or a table."""

_FUNCTIONS: dict[str, Callable[[Context], TwoBytes]] = {
    "ADD": sum_or_difference,
    "MAXIMUM": lambda _: np.maximum,  # of the bytes as they are
    "MINIMUM": lambda _: np.minimum,
    "MUL": product,
    "PRELU": prelu,
    "SUB": sum_or_difference,
}
_VALUES = np.arange(-128, 128, dtype=np.int64)


def constant_position(graph: Graph, op: Op) -> int | None:
    """Which input of an op of two is a constant, repeated or as large as the other one; None where none is."""
    if op.kind not in _FUNCTIONS or len(op.inputs) != 2:
        return None
    constants = [position for position in (0, 1) if graph.input(op, position).data is not None]
    if len(constants) != 1 or graph.input(op, 1 - constants[0]).shape != graph.output(op).shape:
        return None
    if op.kind == "PRELU" and constants != [1]:
        return None
    return constants[0]


def pairs_of(graph: Graph) -> dict[int, int]:
    """By op that has no kernel call of its own: the op whose call does its work too.

    In a chain of ops with constants the first and the second are a pair, and the third and the fourth.
    """
    pairs: dict[int, int] = {}
    seconds: set[int] = set()
    for index, op in enumerate(graph.ops):
        following = _next_in_chain(graph, op)
        if following is not None and index not in seconds:
            pairs[index] = following
            seconds.add(following)
    return pairs


def _next_in_chain(graph: Graph, op: Op) -> int | None:
    """The op that alone reads the output of this one, if both have a constant."""
    if constant_position(graph, op) is None:
        return None
    output = op.outputs[0]
    readers = graph.readers.get(output, ())
    if output in graph.outputs or len(readers) != 1:
        return None
    return readers[0] if constant_position(graph, graph.ops[readers[0]]) is not None else None


def lower_channelwise(context: Context) -> tuple[KernelCall, ...]:
    """An op that has a constant_position: one call for it and the op that is merged into it."""
    if constant_position(context.graph, context.op) is None:
        raise context.unsupported("there is a kernel for one activation and one constant")
    if context.op_index in context.pairs:
        _outputs(context)  # what it refuses, it refuses here
        return ()
    second = _outputs(context)
    previous = _merged(context)
    if previous is None:
        return (_call(context, second, None, None),)
    first = _outputs(replace(context, op_index=previous))
    channels = max(len(first), len(second))
    first, second = (np.tile(outputs, (channels // len(outputs), 1)) for outputs in (first, second))
    both = np.take_along_axis(second, first + 128, axis=1)
    return (_call(context, both, first, second),)


def _merged(context: Context) -> int | None:
    """The op whose work this one does too."""
    before = context.graph.writers.get(context.graph.first_activation(context.op))
    return before if before is not None and context.pairs.get(before) == context.op_index else None


def _outputs(context: Context) -> IntArray:
    """The outputs [channels, 256] of an op with a constant, for inputs -128 to 127."""
    position = constant_position(context.graph, context.op)
    assert position is not None
    constant = np.asarray(context.operand(position).data, np.int64)
    shape = context.operand(1 - position).shape
    repeated = constant.reshape(-1)
    if constant.size > 1 and constant.shape[-1:] != (constant.size,):  # not along the last axis alone
        repeated = np.broadcast_to(constant, shape).reshape(-1)
    y = repeated[: _period(repeated, shape), None]
    function = _FUNCTIONS[context.op.kind](context)
    return function(_VALUES, y) if position == 1 else function(y, _VALUES)


def _period(repeated: IntArray, shape: tuple[int, ...]) -> int:
    """After how many values a constant begins anew: one, the size of the last axis, or all."""
    for period in (1, min(len(repeated), shape[-1] if shape else 1)):
        if (repeated.reshape(-1, period) == repeated[:period]).all():
            return period
    return len(repeated)


def _call(context: Context, outputs: IntArray, first: IntArray | None, second: IntArray | None) -> KernelCall:
    """One function for both ops of a pair where that is a line for every channel; else two."""
    stages = [outputs]
    fitted = [fit_lines(outputs)]
    if first is not None and second is not None and not fitted[0].exact.all():
        stages = [first, second]
        fitted = [fit_lines(first), fit_lines(second)]
    exact = np.logical_and.reduce([lines.exact for lines in fitted])
    channels, elements = len(outputs), context.result().elements
    lines, pieces, tables = _constants(outputs, stages, fitted, exact)
    kernel = context.kernel(f"es_channelwise_{'' if len(stages) == 1 else 'twice_'}s8")
    return KernelCall(
        op_index=context.op_index,
        function=kernel.function,
        variant=kernel.variant,
        header="es_channelwise.h",
        struct="es_channelwise",
        fields=(
            ("lines", Array("lines", "int32_t", lines, "table")),
            ("pieces", Array("pieces", "int32_t", pieces, "table") if pieces.size else None),
            ("tables", Array("tables", "int8_t", tables, "table") if tables.size else None),
            ("channels", channels),
            ("elements", elements),
        ),
        inputs=(context.graph.first_activation(context.op),),
        output=context.op.outputs[0],
        in_place=(0,),
        reason=_reason(context, channels, tables.size // 256, merged=first is not None),
        estimated_instructions=_instructions(kernel.variant, elements, channels, len(stages)),
        sources=("es_channelwise_odd",),
    )


def _constants(
    outputs: IntArray, stages: list[IntArray], fitted: list[Lines], exact: npt.NDArray[np.bool_]
) -> tuple[Int32Array, Int32Array, Int8Array]:
    """[channels, stages, 2] factors and constants; pieces and tables of the channels that are no lines. All flat."""
    lines = np.stack([np.stack([stage.factors, stage.constants], axis=1) for stage in fitted], axis=1)
    odd = np.flatnonzero(~exact)
    pieces = [fit_pieces(stage[odd]) for stage in stages]
    possible = np.logical_and.reduce([piece.exact for piece in pieces])
    lines[odd] = 0
    in_pieces, by_table = odd[possible], odd[~possible]
    numbers = np.stack([piece.numbers[possible] for piece in pieces], axis=1)
    lines[in_pieces, 0, 0] = IN_PIECES
    lines[in_pieces, 0, 1] = 5 * len(stages) * np.arange(len(in_pieces))
    lines[by_table, 0, 0] = BY_TABLE
    lines[by_table, 0, 1] = 256 * np.arange(len(by_table))
    return (
        lines.astype(np.int32).reshape(-1),
        numbers.astype(np.int32).reshape(-1),
        outputs[by_table].astype(np.int8).reshape(-1),
    )


def _reason(context: Context, channels: int, tabled: int, *, merged: bool) -> str:
    what = f"one function of a byte for each of {channels} channels" if channels > 1 else "one function of a byte"
    if merged:
        what += f", with {context.graph.ops[_merged(context) or 0].name!r}"
    return what + (f"; {tabled} by table" if tabled else "")


def _instructions(variant: str, elements: int, channels: int, stages: int) -> int:
    per_value = rate(variant, {"dsp": 4.5 + 2 * stages, "portable": 8 + 6 * stages})
    return round(elements * per_value) + 20 * channels
