"""A .tflite as an editable tree of objects, and back: what the writers of this package work on.

The classes are those that flatc generates from TFLite's schema (ModelT, SubGraphT, TensorT, OperatorT, ...). The
tflite-micro wheel carries them; nothing else of it is used here.
"""

from __future__ import annotations

import struct
from typing import Any

import flatbuffers

from edgesparse.errors import ModelError
from edgesparse.tflite import schema
from edgesparse.tflite.flatbuffer import root

__all__ = ["generated", "pack", "parse"]


def generated() -> Any:
    """The module of generated classes."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated

    return schema_py_generated


def parse(data: bytes) -> Any:
    """The file as a ModelT; ModelError where it is damaged."""
    root(data, schema.FILE_IDENTIFIER)
    try:
        return generated().ModelT.InitFromPackedBuf(data, 0)
    except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"damaged flatbuffer: {error}") from error


def pack(model: Any) -> bytes:
    """A ModelT as a file."""
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), schema.FILE_IDENTIFIER)
    return bytes(builder.Output())
