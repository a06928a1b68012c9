"""From the packed model and its memory plan to FirmwareModel."""

from __future__ import annotations

import zlib
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.firmware.ctext import array_text, c_name, float_text, number_text
from edgesparse.firmware.model import CallView, FirmwareModel, LayerView, TableView, TensorView
from edgesparse.firmware.weights_crc import weights_crc
from edgesparse.graph import Graph, Op, Tensor
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.lowering.call import Array, FieldValue, KernelCall
from edgesparse.lowering.model import PackedModel

__all__ = ["describe", "tensor_view"]

_KERNELS_VERSION = 1
"""ES_KERNELS_VERSION of es_types.h that the tables are for."""

_CTYPES = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t", "float32": "float"}


def describe(
    graph: Graph,
    packed: PackedModel,
    memory: MemoryPlan,
    vectors: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    *,
    tool: str,
    source_sha256: str,
    runtime: str = "aot",
    weights: str = "flash",
) -> FirmwareModel:
    """Turn kernel calls into C text.

    vectors, expected: [n, ...] test inputs in the model's input dtype, and the reference's outputs for them.
    weights: where the firmware reads them, as in Settings.
    """
    calls_of: dict[int, list[int]] = defaultdict(list)
    for index, call in enumerate(packed.calls):
        calls_of[call.op_index].append(index)
    constants: dict[int, TableView] = {}
    layers = []
    packed_weights: list[tuple[str, bytes]] = []
    for op_index, op in enumerate(graph.ops):
        name = c_name(op.name)
        indices = calls_of[op_index]
        views = []
        for position, index in enumerate(indices):
            call = packed.calls[index]
            params = name if len(indices) == 1 else f"{name}_{position}"
            views.append(_call(graph, call, index, params, memory, constants))
            packed_weights += [(f"{params}_{a.suffix}", a.values.tobytes()) for a in call.arrays if a.role == "weights"]
        comment = _comment(graph, op, [packed.calls[i] for i in indices])
        layers.append(LayerView(index=op_index, name=op.name, comment=comment, calls=tuple(views)))
    input_tensor, output_tensor = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    samples = np.ascontiguousarray(vectors).reshape(len(vectors), -1).view(np.uint8)
    return FirmwareModel(
        tool=tool,
        source_sha256=source_sha256,
        kernels_version=_KERNELS_VERSION,
        input=tensor_view(input_tensor),
        output=tensor_view(output_tensor),
        input_bytes=input_tensor.nbytes,
        output_bytes=output_tensor.nbytes,
        input_offset=memory.tensor_offsets[graph.inputs[0]],
        output_offset=memory.tensor_offsets[graph.outputs[0]],
        arena_bytes=memory.arena_bytes,
        layers=tuple(layers),
        headers=tuple(sorted({call.header for call in packed.calls})),
        kernels=tuple(sorted({s for call in packed.calls for s in (call.function, *call.sources)})),
        constants=tuple(constants.values()),
        vectors=tuple(array_text(sample) for sample in samples),
        vector_crcs=tuple(zlib.crc32(np.ascontiguousarray(output).tobytes()) for output in expected),
        weights_crc=weights_crc(packed_weights),
        runtime=runtime,
        weights=weights,
    )


def tensor_view(tensor: Tensor) -> TensorView:
    """The input or the output as C text."""
    quantized = tensor.dtype == np.int8 and tensor.quantization is not None
    return TensorView(
        ctype=_CTYPES[tensor.dtype.name],
        shape=tensor.shape,
        values=tensor.elements,
        scale=float_text(tensor.quant.scale) if quantized else "",
        zero_point=tensor.quant.zero_point if quantized else 0,
    )


def _call(
    graph: Graph,
    call: KernelCall,
    index: int,
    params: str,
    memory: MemoryPlan,
    constants: dict[int, TableView],
) -> CallView:
    tables = tuple(_table(f"{params}_{a.suffix}", a) for a in call.arrays)
    arguments = [_operand(graph, tensor, memory, constants) for tensor in (*call.inputs, call.output)]
    if call.takes_scratch:
        arguments.append(f"arena + {memory.scratch_offsets[index]}" if call.scratch_bytes else "0")
    return CallView(
        function=call.function,
        struct=call.struct,
        params=params,
        fields=tuple((name, _field(params, value)) for name, value in call.fields),
        arguments=tuple(arguments),
        tables=tables,
    )


def _operand(graph: Graph, index: int, memory: MemoryPlan, constants: dict[int, TableView]) -> str:
    tensor = graph.tensors[index]
    ctype = _CTYPES[tensor.dtype.name]
    if tensor.data is not None:
        name = f"model_constant_{index}"
        constants.setdefault(index, _table(name, Array("", ctype, tensor.data.ravel(), "table")))
        return name
    offset = f"arena + {memory.tensor_offsets[index]}"
    return f"({ctype} *)({offset})"


def _table(name: str, array: Array) -> TableView:
    return TableView(
        name=name,
        ctype=array.ctype,
        length=len(array.values),
        text=array_text(array.values),
        section="ES_WEIGHTS" if array.role == "weights" else "ES_TABLE",
    )


def _field(params: str, value: FieldValue) -> str:
    if value is None:
        return "0"
    if isinstance(value, Array):
        return f"{params}_{value.suffix}" if len(value.values) else "0"
    return value if isinstance(value, str) else number_text(value)


def _comment(graph: Graph, op: Op, calls: list[KernelCall]) -> str:
    shapes = " + ".join(_shape(graph.tensors[i].shape) for i in op.inputs if i >= 0 and graph.tensors[i].data is None)
    text = f"{op.name}: {op.kind} {shapes} -> {_shape(graph.output(op).shape)}"
    for call in calls:
        if call.weight_format:
            weights = graph.input(op, 1)
            assert weights.data is not None
            density = np.count_nonzero(weights.data) / max(weights.elements, 1)
            text += f", {call.weight_format}, {density:.0%} nonzero, {call.weight_bytes} bytes of weights"
    return text if calls else f"{text}, the same bytes"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape[1:] if len(shape) > 1 else shape))
