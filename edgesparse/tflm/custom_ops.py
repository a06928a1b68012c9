"""Kernel calls as TFLite Micro custom ops: tables, packed weights and custom options as bytes.

Bytes: FORMAT.md, custom ops. `firmware_templates/runtime/tflm/` reads them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesparse.lowering.call import Array, FieldValue, KernelCall
from edgesparse.lowering.conv_2d_patches import GATHERS
from edgesparse.lowering.formats import FORMATS
from edgesparse.variants import VARIANTS

__all__ = [
    "CONV_2D",
    "FULLY_CONNECTED",
    "OPTIONS_VERSION",
    "CustomOp",
    "Kernel",
    "encode_call",
    "is_sparse",
]

OPTIONS_VERSION = 1
CONV_2D, FULLY_CONNECTED = "EDGESPARSE_CONV_2D", "EDGESPARSE_FULLY_CONNECTED"

_FORMATS = {kernel: number for format in FORMATS.values() for kernel, number in format.numbers.items()}
"""By the kernel that reads them: `wide` is FULLY_CONNECTED's other dense one."""
_GATHERS = {"": 0} | {gather.function: gather.number for gather in GATHERS}

_COMMON = struct.Struct("<BBBBII")  # version, format, variant, gather; bytes of weights; bytes of scratch
_CONV_2D = struct.Struct("<14H4b")
_FULLY_CONNECTED = struct.Struct("<IIIIHBx4b")
_CONV_2D_FIELDS = (
    "in_h in_w in_c out_h out_w out_c kernel_h kernel_w stride_h stride_w dilation_h dilation_w pad_top pad_left "
    "input_zero_point output_zero_point activation_min activation_max"
).split()


@dataclass(frozen=True, order=True)
class Kernel:
    """A C kernel that an op's options ask for. `gather` is the C function that gathers patches, or "".

    `key`: bytes 1 to 3 of the options: format, variant, gather.
    """

    op: str
    key: tuple[int, int, int]
    format: str
    function: str
    gather: str
    takes_scratch: bool


@dataclass(frozen=True)
class CustomOp:
    """One op: `name` is its custom code. `tables` and `weights` are its uint8 constants."""

    name: str
    options: bytes
    tables: bytes
    weights: bytes
    kernel: Kernel
    sources: tuple[str, ...]  # kernel sources without .c


def is_sparse(call: KernelCall) -> bool:
    """Whether a call has a kernel that skips zeros."""
    return call.weight_format in _FORMATS and call.weight_format != "dense"


def encode_call(call: KernelCall) -> CustomOp:
    """The custom op of a kernel call of CONV_2D or FULLY_CONNECTED."""
    fields = dict(call.fields)
    encode = _conv_2d if call.struct == "es_conv_2d" else _fully_connected
    name, tables, weights, rest = encode(fields)
    format = call.kernel.removeprefix(f"{call.struct}_").removesuffix("_s8")
    gather = _gather(fields)
    key = (_FORMATS[format], VARIANTS[call.variant].number, _GATHERS[gather])
    options = _COMMON.pack(OPTIONS_VERSION, *key, len(weights), call.scratch_bytes)
    return CustomOp(
        name=name,
        options=options + rest,
        tables=tables,
        weights=weights,
        kernel=Kernel(name, key, format, call.function, gather, call.takes_scratch),
        sources=(call.function, *call.sources),
    )


def _gather(fields: dict[str, FieldValue]) -> str:
    value = fields.get("gather")
    return value if isinstance(value, str) else ""


def _conv_2d(fields: dict[str, FieldValue]) -> tuple[str, bytes, bytes, bytes]:
    """(name, tables, weights, options behind the common ones)."""
    tables = _bytes(fields["scales"]) + _bytes(fields["shifts"])
    weights = _bytes(fields["weights"]) + _bytes(fields["pairs"])
    return CONV_2D, tables, weights, _CONV_2D.pack(*(fields[name] for name in _CONV_2D_FIELDS))


def _fully_connected(fields: dict[str, FieldValue]) -> tuple[str, bytes, bytes, bytes]:
    """(name, tables, weights, options behind the common ones)."""
    tables = b"".join(_bytes(fields[name]) for name in ("bias", "multipliers", "shifts"))
    weights, offsets = _bytes(fields["weights"]), [0, 0]
    for index, name in enumerate(("gaps", "counts")):
        if fields[name] is not None:
            weights += bytes(-len(weights) % 4)
            offsets[index] = len(weights)
            weights += _bytes(fields[name])
    rest = _FULLY_CONNECTED.pack(
        fields["in_dim"],
        fields["out_dim"],
        *offsets,
        fields["rows"],
        fields["channel_mask"] != 0,
        fields["input_zero_point"],
        fields["output_zero_point"],
        fields["activation_min"],
        fields["activation_max"],
    )
    return FULLY_CONNECTED, tables, weights, rest


def _bytes(value: FieldValue) -> bytes:
    """The little-endian bytes of a table; none for NULL."""
    if value is None:
        return b""
    assert isinstance(value, Array)
    array: Any = np.ascontiguousarray(value.values)
    return bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())
