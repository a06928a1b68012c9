"""Changes to a ModelT in place: constants, tensors, operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.tflite import objects, schema

__all__ = ["add_buffer", "add_operator", "add_tensor", "constant", "kind_of", "operator_code", "release"]

_BYTE_CODES = 127
"""Operator codes over this one have 127 in the schema's old one-byte field."""


def kind_of(model: Any, operator: Any) -> str:
    """The builtin name of an operator, such as CONV_2D."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return schema.BUILTIN_OPERATORS[number] if number < len(schema.BUILTIN_OPERATORS) else f"BUILTIN_{number}"


def operator_code(model: Any, kind: str, version: int = 1) -> int:
    """Index of an operator code, added where the file has none."""
    number = schema.BUILTIN_OPERATORS.index(kind)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
            return index
    code = objects.generated().OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, _BYTE_CODES), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_buffer(model: Any, values: npt.NDArray[Any]) -> int:
    """Index of a new buffer with the bytes of `values`."""
    buffer = objects.generated().BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(
    model: Any, like: Any, shape: Sequence[int], *, buffer: int = 0, quantization: Any = None, name: str = ""
) -> int:
    """Index of a new tensor of the type of `like`; buffer 0 is the empty one."""
    tensor = objects.generated().TensorT()
    tensor.shape, tensor.type, tensor.buffer = [int(n) for n in shape], like.type, buffer
    tensor.quantization, tensor.name = quantization, name
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    return len(tensors) - 1


def add_operator(
    model: Any, kind: str, inputs: Sequence[int], outputs: Sequence[int], *, options: str = "", **fields: Any
) -> Any:
    """A new operator, to be put in its place by the caller. `options`: the schema's name, such as ReshapeOptions."""
    generated = objects.generated()
    operator = generated.OperatorT()
    operator.opcodeIndex = operator_code(model, kind)
    operator.inputs, operator.outputs = list(inputs), list(outputs)
    if options:
        operator.builtinOptionsType = getattr(generated.BuiltinOptions, options)
        operator.builtinOptions = getattr(generated, f"{options}T")()
        for field, value in fields.items():
            setattr(operator.builtinOptions, field, value)
    return operator


def constant(model: Any, tensor: Any) -> npt.NDArray[Any] | None:
    """The values of a constant tensor, None where it has no data."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    dtype = schema.DTYPES[schema.TENSOR_TYPES[tensor.type]]
    return np.frombuffer(bytes(bytearray(data)), dtype).reshape([int(n) for n in tensor.shape])


def release(model: Any, buffer: int) -> None:
    """Empty a buffer that no tensor refers to any more."""
    if buffer and all(tensor.buffer != buffer for graph in model.subgraphs for tensor in graph.tensors):
        model.buffers[buffer].data = None
