"""A .tflite as an editable tree of objects, and back: what the writers of this package work on.

The classes are those that flatc generates from TFLite's schema (ModelT, SubGraphT, TensorT, OperatorT, ...). The
tflite-micro wheel carries them; nothing else of it is used here.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.tflite import schema
from edgesparse.tflite.compact import CompactBuilder
from edgesparse.tflite.flatbuffer import root

__all__ = ["generated", "pack", "parse"]

_MODEL_BUFFERS, _BUFFER_DATA = 4, 0
"""Fields of the schema: Model.buffers, Buffer.data."""

_CONSTANT_ALIGNMENT = 16
"""force_align of Buffer.data in the schema; TFLite, TFLite Micro and XNNPACK read constants in place."""


def generated() -> Any:
    """The module of generated classes."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated

    return schema_py_generated


def parse(data: bytes) -> Any:
    """The file as a ModelT, with all constants in its buffers; ModelError where it is damaged."""
    root(data, schema.FILE_IDENTIFIER)
    try:
        model = generated().ModelT.InitFromPackedBuf(data, 0)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"damaged flatbuffer: {error}") from error
    for buffer in model.buffers or ():
        if buffer.offset > 1:  # written behind the flatbuffer, for files near 2 GB
            buffer.data = _behind(data, buffer.offset, buffer.size)
            buffer.offset = buffer.size = 0
    for subgraph in model.subgraphs or ():
        for operator in subgraph.operators or ():
            if operator.largeCustomOptionsOffset > 1:
                operator.customOptions = _behind(
                    data, operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
                )
                operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0
    return model


def pack(model: Any) -> bytes:
    """A ModelT as a file that holds everything equal once. Constant data begins on multiples of 16 bytes."""
    builder = CompactBuilder()
    root = model.Pack(builder)
    constants = builder.referred(builder.referred([root], _MODEL_BUFFERS), _BUFFER_DATA)
    alignments = dict.fromkeys(constants, _CONSTANT_ALIGNMENT)
    return builder.finish(root, schema.FILE_IDENTIFIER, alignments=alignments)


def _behind(data: bytes, offset: int, size: int) -> npt.NDArray[np.uint8]:
    if offset + size > len(data):
        raise ModelError(f"damaged file: {size} bytes at {offset} run past the end ({len(data)})")
    return np.frombuffer(data, np.uint8, count=size, offset=offset)
