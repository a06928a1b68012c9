"""The .tflite that TFLite Micro firmware holds: sparse layers as custom ops, everything else as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Graph
from edgesparse.lowering.model import PackedModel
from edgesparse.tflite import objects
from edgesparse.tflite.schema import BUILTIN_OPERATORS, TENSOR_TYPES
from edgesparse.tflm.custom_ops import CustomOp, encode_call, is_sparse
from edgesparse.tflm.resolver import Registration, registrations

__all__ = ["TflmModel", "tflm_model"]

_CUSTOM, _UINT8 = BUILTIN_OPERATORS.index("CUSTOM"), TENSOR_TYPES.index("UINT8")


@dataclass(frozen=True)
class TflmModel:
    """`data`: the file. `custom`: its custom ops by op index. `registrations`: what its resolver must have."""

    data: bytes
    custom: dict[int, CustomOp]
    registrations: tuple[Registration, ...]


def tflm_model(data: bytes, graph: Graph, packed: PackedModel) -> TflmModel:
    """The model of a file with its sparse layers as the project's custom ops; the file as it is where there are none.

    An op kind with a sparse layer becomes custom as a whole, its dense layers too: TFLite Micro's own kernel of that
    kind is then not linked. data, graph and packed are of one model, op for op. A custom op keeps its activation and
    its output; behind the activation come its tables and its packed weights, in place of weights and bias.
    """
    kinds_with_zeros = {graph.ops[call.op_index].kind for call in packed.calls if is_sparse(call)}
    custom = {
        call.op_index: encode_call(call) for call in packed.calls if graph.ops[call.op_index].kind in kinds_with_zeros
    }
    kinds = [custom[i].name if i in custom else op.kind for i, op in enumerate(graph.ops)]
    if not custom:
        return TflmModel(data, custom, registrations(kinds))
    model = objects.parse(data)
    subgraph = model.subgraphs[0]
    if len(subgraph.operators) != len(graph.ops):
        raise ModelError(f"the file has {len(subgraph.operators)} ops, its graph {len(graph.ops)}; please report this")
    for index, op in custom.items():
        _replace(model, subgraph, subgraph.operators[index], op)
    _drop_unused(model, subgraph)
    return TflmModel(objects.pack(model), custom, registrations(kinds))


def _replace(model: Any, subgraph: Any, operator: Any, op: CustomOp) -> None:
    operator.opcodeIndex = _custom_code(model, op.name)
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    operator.customOptions = np.frombuffer(op.options, np.uint8)
    constants = [_constant(model, subgraph, values) for values in (op.tables, op.weights)]
    operator.inputs = [int(operator.inputs[0]), *constants]


def _custom_code(model: Any, name: str) -> int:
    """The index of a custom op's code, which is added where it is missing."""
    for index, code in enumerate(model.operatorCodes):
        if code.customCode in (name, name.encode()):
            return index
    code = objects.generated().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = _CUSTOM
    code.customCode = name
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _constant(model: Any, subgraph: Any, values: bytes) -> int:
    """A new uint8 tensor."""
    buffer = objects.generated().BufferT()
    buffer.data = np.frombuffer(values, np.uint8)
    model.buffers.append(buffer)
    tensor = objects.generated().TensorT()
    tensor.shape, tensor.type, tensor.buffer = [len(values)], _UINT8, len(model.buffers) - 1
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1


def _drop_unused(model: Any, subgraph: Any) -> None:
    """Tensors, buffers and operator codes that nothing refers to any more, and all indices after them."""
    used: set[int] = set()
    for indices in (subgraph.inputs, subgraph.outputs, *(_operands(operator) for operator in subgraph.operators)):
        used |= {int(index) for index in indices if index >= 0}
    tensors = _renumber(subgraph.tensors, used)
    subgraph.tensors = [subgraph.tensors[index] for index in tensors]
    for owner in (subgraph, *subgraph.operators):
        owner.inputs = [tensors.get(int(index), -1) for index in owner.inputs]
        owner.outputs = [tensors.get(int(index), -1) for index in owner.outputs]
    codes = _renumber(model.operatorCodes, {operator.opcodeIndex for operator in subgraph.operators})
    model.operatorCodes = [model.operatorCodes[index] for index in codes]
    for operator in subgraph.operators:
        operator.opcodeIndex = codes[operator.opcodeIndex]
    # Buffer 0 is the empty one by convention. Metadata and signatures name what is gone.
    buffers = _renumber(model.buffers, {0, *(tensor.buffer for tensor in subgraph.tensors)})
    model.buffers = [model.buffers[index] for index in buffers]
    for tensor in subgraph.tensors:
        tensor.buffer = buffers[tensor.buffer]
    model.metadata = model.metadataBuffer = model.signatureDefs = None


def _operands(operator: Any) -> list[int]:
    return [*operator.inputs, *operator.outputs]


def _renumber(items: list[Any], used: set[int]) -> dict[int, int]:
    """Old index -> new index of those that are used, in their order."""
    return {old: new for new, old in enumerate(index for index in range(len(items)) if index in used)}
