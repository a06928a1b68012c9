"""Small .tflite files from a compact description, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from numpy.typing import ArrayLike, NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

Scale: TypeAlias = "float | np.floating[Any]"

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
}
_OPTIONS = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "ADD": "AddOptions",
    "MUL": "MulOptions",
    "SUB": "SubOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "CONCATENATION": "ConcatenationOptions",
    "SOFTMAX": "SoftmaxOptions",
    "MEAN": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "PAD": "PadOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
}
_KINDS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}


PADDING_SAME, PADDING_VALID = schema.Padding.SAME, schema.Padding.VALID
RELU, LINEAR = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.NONE


class TfliteBuilder:
    """Add tensors and ops, then build(). Every method that adds a tensor returns its index."""

    def __init__(self) -> None:
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._codes: list[str] = []
        self._operators: list[Any] = []
        self._inputs: list[int] = []

    def input(self, shape: tuple[int, ...], scale: Scale = 1.0, zero_point: int = 0, dtype: str = "int8") -> int:
        index = self.activation(shape, scale, zero_point, dtype)
        self._inputs.append(index)
        return index

    def activation(self, shape: tuple[int, ...], scale: Scale = 1.0, zero_point: int = 0, dtype: str = "int8") -> int:
        quantized = dtype != "float32"
        return self._tensor(shape, dtype, [float(scale)] if quantized else None, [zero_point], 0, 0)

    def constant(self, data: NDArray[Any], scales: ArrayLike | None = None, axis: int = 0, zero_point: int = 0) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self._buffers.append(buffer)
        values = None if scales is None else [float(s) for s in np.atleast_1d(np.asarray(scales))]
        zeros = [zero_point] * len(values) if values else []
        return self._tensor(data.shape, str(data.dtype), values, zeros, axis, len(self._buffers) - 1)

    def op(self, kind: str, inputs: list[int], outputs: list[int], **options: Any) -> None:
        if kind not in self._codes:
            self._codes.append(kind)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.index(kind)
        operator.inputs, operator.outputs = inputs, outputs
        if kind in _OPTIONS:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[kind])
            operator.builtinOptions = getattr(schema, _OPTIONS[kind] + "T")()
            for name, value in options.items():
                assert hasattr(operator.builtinOptions, name), name
                setattr(operator.builtinOptions, name, value)
        self._operators.append(operator)

    def embed(self, network: bytes, write_input: Callable[[int], None]) -> int:
        """All of a built network of one input and one output, which become activations; returns the output.

        `write_input` gets the input, and adds the ops that write it before the network's own.
        """
        model = schema.ModelT.InitFromPackedBuf(network, 0)
        (graph,) = model.subgraphs
        (network_input,), (network_output,) = graph.inputs, graph.outputs
        first_tensor, first_buffer = len(self._tensors), len(self._buffers)
        self._buffers += model.buffers[1:]  # the first one is the empty buffer of all activations
        for tensor in graph.tensors:
            tensor.buffer = tensor.buffer - 1 + first_buffer if tensor.buffer else 0
            tensor.name = f"t{len(self._tensors)}"
            self._tensors.append(tensor)
        write_input(int(network_input) + first_tensor)
        kinds = [_KINDS[code.builtinCode] for code in model.operatorCodes]
        for operator in graph.operators:
            kind = kinds[operator.opcodeIndex]
            if kind not in self._codes:
                self._codes.append(kind)
            operator.opcodeIndex = self._codes.index(kind)
            operator.inputs = [index + first_tensor for index in operator.inputs]
            operator.outputs = [index + first_tensor for index in operator.outputs]
            self._operators.append(operator)
        return int(network_output) + first_tensor

    def shape(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(int(size) for size in self._tensors[tensor].shape)

    def elements(self, tensor: int) -> int:
        """How many values a tensor has."""
        return int(np.prod(self._tensors[tensor].shape))

    def build(self, outputs: list[int]) -> bytes:
        model = schema.ModelT()
        model.version = 3
        model.description = "test"
        model.buffers = self._buffers
        model.operatorCodes = []
        for kind in self._codes:
            code = schema.OperatorCodeT()
            number = getattr(schema.BuiltinOperator, kind)
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
            model.operatorCodes.append(code)
        subgraph = schema.SubGraphT()
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        subgraph.inputs, subgraph.outputs, subgraph.name = self._inputs, outputs, "main"
        model.subgraphs = [subgraph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(
        self,
        shape: tuple[int, ...],
        dtype: str,
        scales: list[float] | None,
        zero_points: list[int],
        axis: int,
        buffer: int,
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape = list(shape)
        tensor.type = _TYPES[dtype]
        tensor.buffer = buffer
        tensor.name = f"t{len(self._tensors)}"
        if scales is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = scales
            quantization.zeroPoint = zero_points
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self._tensors.append(tensor)
        return len(self._tensors) - 1
