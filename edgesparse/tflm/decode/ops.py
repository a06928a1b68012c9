"""TFLM_DECODE ops in a .tflite file: weights stored encoded, and expanded before each op that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from edgesparse.tflite import objects
from edgesparse.tflite.slim import share
from edgesparse.tflm.decode.encoding import Encoded

__all__ = ["CUSTOM_CODE", "WEIGHTS_INPUT", "insert_decodes"]

CUSTOM_CODE = "TFLM_DECODE"

WEIGHTS_INPUT = 1
"""The input of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED that holds the weights."""

_PLANNED_OFFSETS = b"OfflineMemoryAllocation"


def insert_decodes(data: bytes, encoded: Mapping[int, Encoded]) -> bytes:
    """A file with one subgraph whose weight tensors `encoded` (tensor index -> bytes) are behind TFLM_DECODE.

        before      weights ------------------------> CONV_2D
        after       codes, ancillary -> TFLM_DECODE -> CONV_2D

    Every op that reads such a tensor gets a TFLM_DECODE of its own, right before it. The tensor becomes an activation;
    new tensors come behind the others. Without encoded tensors the file stays as it is.
    """
    if not encoded:
        return data
    model = objects.parse(data)
    schema = objects.generated()
    (subgraph,) = model.subgraphs
    code = schema.OperatorCodeT(customCode=CUSTOM_CODE, version=1)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes.append(code)
    # An arena plan that somebody made for other tensors does not hold any more.
    model.metadata = [entry for entry in model.metadata or () if entry.name != _PLANNED_OFFSETS] or None

    def add_constant(content: bytes) -> int:
        model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
        tensor = schema.TensorT(shape=[len(content)], type=schema.TensorType.UINT8, buffer=len(model.buffers) - 1)
        subgraph.tensors.append(tensor)
        return len(subgraph.tensors) - 1

    sources = {index: [add_constant(part.codes), add_constant(part.ancillary)] for index, part in encoded.items()}
    expanded: set[int] = set()
    operators = []
    for operator in subgraph.operators:
        weights = _weights(operator)
        if weights in encoded:
            target = weights
            if weights in expanded:
                subgraph.tensors.append(copy(subgraph.tensors[weights]))
                target = len(subgraph.tensors) - 1
                operator.inputs = [*operator.inputs]
                operator.inputs[WEIGHTS_INPUT] = target
            else:
                _make_activation(subgraph.tensors[weights])
                expanded.add(weights)
            decode = schema.OperatorT(opcodeIndex=len(model.operatorCodes) - 1)
            decode.inputs, decode.outputs = sources[weights], [target]
            operators.append(decode)
        operators.append(operator)
    subgraph.operators = operators
    share(model)
    return objects.pack(model)


def _weights(operator: Any) -> int:
    """The tensor in the place of weights, -1 where there is none."""
    inputs = () if operator.inputs is None else operator.inputs
    return int(inputs[WEIGHTS_INPUT]) if len(inputs) > WEIGHTS_INPUT else -1


def _make_activation(tensor: Any) -> None:
    tensor.buffer = 0
    if tensor.quantization is not None and len(tensor.quantization.scale) == 1:
        tensor.quantization.quantizedDimension = 0  # TFLM_DECODE looks at the axis even of a single scale
