"""The ops that a model's resolver must register: exactly those that its file names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgesparse.errors import UnsupportedError
from edgesparse.tflm.custom_ops import CONV_2D, FULLY_CONNECTED

__all__ = ["Registration", "registrations"]


@dataclass(frozen=True)
class Registration:
    """One op. `add`: the method of MicroMutableOpResolver; `argument`: its C++ argument in namespace
    edgesparse, or "".
    """

    op: str
    add: str
    argument: str = ""


_INT8 = {
    "ADD": ("AddAdd", "ADD_INT8"),
    "AVERAGE_POOL_2D": ("AddAveragePool2D", "AVERAGE_POOL_2D_INT8"),
    "CONV_2D": ("AddConv2D", "CONV_2D_INT8"),
    "DEPTHWISE_CONV_2D": ("AddDepthwiseConv2D", "DEPTHWISE_CONV_2D_INT8"),
    "FULLY_CONNECTED": ("AddFullyConnected", "FULLY_CONNECTED_INT8"),
    "MAX_POOL_2D": ("AddMaxPool2D", "MAX_POOL_2D_INT8"),
    "SOFTMAX": ("AddSoftmax", "SOFTMAX_INT8"),
}
"""Registrations for int8 alone: smaller, since float and int16 kernels are not linked. They are what their headers give
with CMSIS-NN, and the general ones without."""

_GENERAL = {
    "CONCATENATION": "AddConcatenation",
    "DEQUANTIZE": "AddDequantize",
    "HARD_SWISH": "AddHardSwish",
    "LEAKY_RELU": "AddLeakyRelu",
    "LOGISTIC": "AddLogistic",
    "MAXIMUM": "AddMaximum",
    "MEAN": "AddMean",
    "MINIMUM": "AddMinimum",
    "MUL": "AddMul",
    "PAD": "AddPad",
    "PRELU": "AddPrelu",
    "QUANTIZE": "AddQuantize",
    "REDUCE_MAX": "AddReduceMax",
    "RELU": "AddRelu",
    "RELU6": "AddRelu6",
    "RESHAPE": "AddReshape",
    "RESIZE_NEAREST_NEIGHBOR": "AddResizeNearestNeighbor",
    "SUB": "AddSub",
    "TANH": "AddTanh",
}


def registrations(ops: Iterable[str]) -> tuple[Registration, ...]:
    """The registrations for op names, each once, in the order of first use; UnsupportedError for what is not known."""
    found: dict[str, Registration] = {}
    unknown = []
    for op in ops:
        if op in (CONV_2D, FULLY_CONNECTED):
            found[op] = Registration(op, "AddCustom", f'"{op}", Register_{op}()')
        elif op in _INT8:
            add, registration = _INT8[op]
            found[op] = Registration(op, add, f"tflite::Register_{registration}()")
        elif op in _GENERAL:
            found[op] = Registration(op, _GENERAL[op])
        else:
            unknown.append(op)
    if unknown:
        names = tuple(dict.fromkeys(unknown))
        raise UnsupportedError(
            f"no TFLite Micro registration is known for {', '.join(names)}; use --runtime aot", names
        )
    return tuple(found.values())
