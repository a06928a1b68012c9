"""From the packed model and its memory plan to FirmwareModel."""

from __future__ import annotations

import zlib
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.firmware.ctext import array_text, call_text, comment_text, float_text, number_text
from edgesparse.firmware.model import CallView, FirmwareModel, LayerView, OffsetView, TableView, TensorView
from edgesparse.firmware.names import CNames
from edgesparse.firmware.weights_crc import weights_crc
from edgesparse.graph import Graph, Op, Tensor
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.lowering.call import Array, FieldValue, KernelCall
from edgesparse.lowering.model import PackedModel

__all__ = ["describe", "tensor_view"]

_KERNELS_VERSION = 1
"""ES_KERNELS_VERSION of es_types.h that the tables are for."""

_API = ("arena", "input", "input_value", "invoke", "layer", "output", "output_value", "prepare")
"""What the model's header declares, behind the model's name."""

_CTYPES = {"int8": "int8_t", "uint8": "uint8_t", "int32": "int32_t", "float32": "float"}


def describe(
    graph: Graph,
    packed: PackedModel,
    memory: MemoryPlan,
    vectors: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    *,
    name: str,
    tool: str,
    source_sha256: str,
    runtime: str = "aot",
    weights: str = "flash",
) -> FirmwareModel:
    """Turn kernel calls into C text.

    vectors, expected: [n, ...] test inputs in the model's input dtype, and the reference's outputs for them.
    name: what C names begin with, see model_name.
    weights: where the firmware reads them, as in Settings.
    """
    calls_of: dict[int, list[int]] = defaultdict(list)
    for index, call in enumerate(packed.calls):
        calls_of[call.op_index].append(index)
    names = CNames(f"{name}_", _API)
    arena = _Arena(graph, packed, memory)
    constants: dict[int, TableView] = {}
    layers = []
    packed_weights: list[tuple[str, bytes]] = []
    for op_index, op in enumerate(graph.ops):
        indices = calls_of[op_index]
        views = []
        for position, index in enumerate(indices):
            call = packed.calls[index]
            own = op.name if len(indices) == 1 else f"{op.name}_{position}"
            params = names.claim(own, [f"_{array.suffix}" for array in call.arrays])
            arguments = [f"&{params}"]
            arguments += [_operand(graph, tensor, arena, names, constants, const=True) for tensor in call.inputs]
            arguments.append(_operand(graph, call.output, arena, names, constants, const=False))
            if call.takes_scratch:
                arguments.append(f"&arena[{arena.scratch(own, index)}]" if call.scratch_bytes else "NULL")
            views.append(_call(call, params, arguments))
            packed_weights += [(f"{params}_{a.suffix}", a.values.tobytes()) for a in call.arrays if a.role == "weights"]
        comment = _comment(graph, op, [packed.calls[i] for i in indices])
        inner = comment_text(comment, indent=4)
        layers.append(LayerView(op_index, comment=comment_text(comment), inner_comment=inner, calls=tuple(views)))
    input_tensor, output_tensor = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    samples = np.ascontiguousarray(vectors).reshape(len(vectors), -1).view(np.uint8)
    return FirmwareModel(
        name=name,
        tool=tool,
        source_sha256=source_sha256,
        kernels_version=_KERNELS_VERSION,
        input=tensor_view(input_tensor),
        output=tensor_view(output_tensor),
        input_bytes=input_tensor.nbytes,
        output_bytes=output_tensor.nbytes,
        arena_bytes=memory.arena_bytes,
        offsets=tuple(arena.offsets),
        layers=tuple(layers),
        headers=tuple(sorted({"es_types.h", *(call.header for call in packed.calls)})),
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


class _Arena:
    """Names of the buffers in the arena, in the order in which they are asked for."""

    def __init__(self, graph: Graph, packed: PackedModel, memory: MemoryPlan) -> None:
        self._memory = memory
        self._aliases = packed.aliases
        self._layers = {output: op.name for op in graph.ops for output in op.outputs}
        self._names = CNames("AT_", ("INPUT", "OUTPUT"))
        self._tensors: dict[int, str] = {}
        self.offsets: list[OffsetView] = []
        for name, tensor in (("AT_INPUT", graph.inputs[0]), ("AT_OUTPUT", graph.outputs[0])):
            self.offsets.append(OffsetView(name, memory.tensor_offsets[tensor]))
            self._tensors.setdefault(self._aliases.get(tensor, tensor), name)

    def tensor(self, index: int) -> str:
        """Of a tensor: of the layer whose output it is."""
        root = self._aliases.get(index, index)
        if root not in self._tensors:
            self._tensors[root] = self._add(self._layers[root], self._memory.tensor_offsets[root])
        return self._tensors[root]

    def scratch(self, name: str, call: int) -> str:
        """Of the memory that a call works in."""
        return self._add(f"{name}_scratch", self._memory.scratch_offsets[call])

    def _add(self, name: str, offset: int) -> str:
        claimed = self._names.claim(name.upper())
        self.offsets.append(OffsetView(claimed, offset))
        return claimed


def _call(call: KernelCall, params: str, arguments: list[str]) -> CallView:
    return CallView(
        struct=call.struct,
        params=params,
        fields=tuple((name, _field(params, value)) for name, value in call.fields),
        statement=call_text(call.function, arguments),
        tables=tuple(_table(f"{params}_{array.suffix}", array) for array in call.arrays),
    )


def _operand(
    graph: Graph, index: int, arena: _Arena, names: CNames, constants: dict[int, TableView], *, const: bool
) -> str:
    tensor = graph.tensors[index]
    ctype = _CTYPES[tensor.dtype.name]
    if tensor.data is not None:
        if index not in constants:
            constants[index] = _table(names.claim(f"constant_{index}"), Array("", ctype, tensor.data.ravel(), "table"))
        return constants[index].name
    return f"({'const ' if const else ''}{ctype} *)&arena[{arena.tensor(index)}]"


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
        return "NULL"
    if isinstance(value, Array):
        return f"{params}_{value.suffix}" if len(value.values) else "NULL"
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
