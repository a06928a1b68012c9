"""What an op must be to be lowered. `check` looks once, so that lowering functions trust what they get.

TFLite Micro takes the output shapes that a file states, and so would a kernel: it writes past an output that is stated
too small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.graph import Graph, Op, Tensor
from edgesparse.lowering.context import Lowering
from edgesparse.lowering.shapes import ShapeRule

__all__ = ["ACTIVATION", "BIAS", "INTEGERS", "NEW_SHAPE", "OPERAND", "WEIGHTS", "OpRule", "Operand", "check"]

_LARGEST_AXIS = 65535
"""Sizes of images are uint16_t in the kernels' structs."""


@dataclass(frozen=True)
class Operand:
    """What an op takes at an input position. `constant`: whether it is one; None where both will do."""

    dtype: str
    constant: bool | None
    optional: bool = False
    symmetric: bool = False  # zero points of 0; a scale for all output channels, or one for each


ACTIVATION = Operand("int8", constant=False)
OPERAND = Operand("int8", constant=None)
WEIGHTS = Operand("int8", constant=True, symmetric=True)
BIAS = Operand("int32", constant=True, optional=True)
INTEGERS = Operand("int32", constant=True)
NEW_SHAPE = Operand("int32", constant=True, optional=True)


@dataclass(frozen=True)
class OpRule:
    """How an op kind is lowered, and what `check` makes sure of before.

    shape: from inputs and options to the output's shape. inputs: by position. dtypes: of the first input, and of the
    output that it gives.
    """

    lower: Lowering
    shape: ShapeRule
    inputs: tuple[Operand, ...] = (ACTIVATION,)
    dtypes: tuple[tuple[str, str], ...] = (("int8", "int8"),)
    repeats: bool = False  # whether the last of `inputs` may come again and again
    one_image: bool = False  # whether the kernel takes a single image [1, h, w, c]
    most_axes: int | None = None  # of the first input
    keeps_quantization: bool = False  # whether the output has the scale and the zero point of the first input
    output_quantization: tuple[float, int] | None = None  # scale and zero point, where TFLite fixes them


def check(graph: Graph, op: Op, rule: OpRule) -> None:
    """Raise where a kernel would not compute what TFLite Micro does, in one line that names the layer.

    ModelError where an op contradicts itself, UnsupportedError where there is no kernel for it.
    """
    where = f"layer {op.name!r} ({op.kind})"
    try:
        operands = list(_operands(graph, op, rule))
        source, target = graph.input(op, 0), graph.output(op)
        if len(op.outputs) != 1:
            raise ModelError(f"{len(op.outputs)} outputs, expected one")
        _check_dtypes(op, operands, target, rule)
        _check_axes(op, source, target, rule)
        expected = rule.shape(graph, op)
        if target.shape != expected:
            raise ModelError(f"output of shape {target.shape}, expected {expected} from {source.shape}")
        if not target.elements:
            raise ModelError(f"output of shape {target.shape} holds no values")
        _check_quantization(op, operands, target, rule)
    except UnsupportedError as error:
        raise UnsupportedError(f"{where}: {error}", error.names) from None
    except ModelError as error:
        raise ModelError(f"{where}: {error}; the file is damaged") from None


def _operands(graph: Graph, op: Op, rule: OpRule) -> Iterator[tuple[int, Tensor, Operand]]:
    """The inputs that are there, with their positions and what they should be."""
    wanted = rule.inputs
    if rule.repeats:
        wanted += wanted[-1:] * (len(op.inputs) - len(wanted))
    if len(op.inputs) > len(wanted):
        raise ModelError(f"{len(op.inputs)} inputs, expected at most {len(wanted)}")
    for position, operand in enumerate(wanted):
        tensor = graph.optional_input(op, position)
        if tensor is not None:
            yield position, tensor, operand
        elif not operand.optional:
            raise ModelError(f"input {position} is missing")


def _check_dtypes(op: Op, operands: list[tuple[int, Tensor, Operand]], target: Tensor, rule: OpRule) -> None:
    source = operands[0][1]
    for position, tensor, operand in operands:
        wanted = sorted({first for first, _ in rule.dtypes}) if position == 0 else [operand.dtype]
        if tensor.dtype.name not in wanted:
            raise _unsupported(
                op, f"input {position} is {tensor.dtype}, expected {' or '.join(wanted)}{_advice(wanted)}"
            )
        if operand.constant is not None and operand.constant != (tensor.data is not None):
            what = "must be a constant" if operand.constant else "is a constant; fold it before converting"
            raise _unsupported(op, f"input {position} ({tensor.name!r}) {what}")
    outputs = [second for first, second in rule.dtypes if first == source.dtype.name]
    if target.dtype.name not in outputs:
        raise _unsupported(op, f"output is {target.dtype}, expected {' or '.join(outputs)}{_advice(outputs)}")


def _advice(wanted: list[str]) -> str:
    return "; quantize the model to full int8" if "int8" in wanted else ""


def _check_axes(op: Op, source: Tensor, target: Tensor, rule: OpRule) -> None:
    if not source.elements:
        raise ModelError(f"input of shape {source.shape} holds no values")
    if rule.most_axes is not None and len(source.shape) > rule.most_axes:
        raise _unsupported(
            op, f"input of shape {source.shape}; at most {rule.most_axes} axes, here and in TFLite Micro"
        )
    if not rule.one_image:
        return
    if source.shape and source.shape[0] != 1:
        raise _unsupported(
            op, f"input of shape {source.shape} has batch {source.shape[0]}, the kernel takes one image at a time; use"
            " the layer on one image, outside of TimeDistributed"
        )  # fmt: skip
    if max((*source.shape, *target.shape), default=1) > _LARGEST_AXIS:
        raise _unsupported(op, f"shapes {source.shape} and {target.shape}; at most {_LARGEST_AXIS} along an axis")


def _check_quantization(op: Op, operands: list[tuple[int, Tensor, Operand]], target: Tensor, rule: OpRule) -> None:
    for position, tensor, operand in operands:
        if tensor.dtype != np.int8:
            continue
        if operand.symmetric:
            if np.any(tensor.quant.zero_points != 0):
                raise _unsupported(op, "weights have zero points, expected symmetric weights; convert the model again")
            if len(tensor.quant.scales) not in (1, target.shape[-1]):
                raise ModelError(f"weights have {len(tensor.quant.scales)} scales for {target.shape[-1]} channels")
        else:
            _check_one_scale(op, tensor, f"input {position}")
    if target.dtype == np.int8:
        _check_one_scale(op, target, "output")
    if rule.keeps_quantization:
        for position, tensor, operand in operands:
            if operand.dtype == "int8":
                _check_equal(op, position, tensor, target)
    if rule.output_quantization is not None:
        scale, zero_point = rule.output_quantization
        out = target.quant
        if (out.scale, out.zero_point) != rule.output_quantization:
            raise _unsupported(
                op, f"output scale {out.scale:g}, zero point {out.zero_point}; expected {scale:g}, {zero_point}"
            )


def _check_one_scale(op: Op, tensor: Tensor, what: str) -> None:
    if tensor.quant.per_channel:
        raise _unsupported(op, f"{what} has {len(tensor.quant.scales)} scales, expected one")
    if not -128 <= tensor.quant.zero_point <= 127:
        raise ModelError(f"{what} has zero point {tensor.quant.zero_point}, expected -128 to 127")


def _check_equal(op: Op, position: int, tensor: Tensor, target: Tensor) -> None:
    """TFLite Micro moves the bytes as they are, or refuses too."""
    a, b = tensor.quant, target.quant
    if (a.scale, a.zero_point) != (b.scale, b.zero_point):
        raise _unsupported(
            op, f"input {position} and output are quantized differently ({a.scale:g}, {a.zero_point} and {b.scale:g},"
            f" {b.zero_point})"
        )  # fmt: skip


def _unsupported(op: Op, text: str) -> UnsupportedError:
    return UnsupportedError(text, (op.kind,))
