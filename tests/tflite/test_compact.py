"""The flatbuffer packer: every byte of a small file, what is shared, and that a model survives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.tflite import objects, schema
from edgesparse.tflite.compact import CompactBuilder
from edgesparse.tflite.flatbuffer import root
from edgesparse.tflite.placement import Piece, place
from tests.support.small_networks import conv_network

PUBLISHED = ("ad01_int8.tflite", "kws_ref_model.tflite", "pretrainedResnet_quant.tflite")


def test_every_byte_of_a_small_file() -> None:
    builder = CompactBuilder()
    first, second = builder.CreateString("ab"), builder.CreateString(b"ab")
    assert first == second
    tables = []
    for text in (first, second):
        builder.StartObject(3)
        builder.PrependUOffsetTRelativeSlot(0, text, 0)
        builder.PrependInt32Slot(1, 7, 7)
        builder.PrependUint8Slot(2, 9, 0)
        tables.append(builder.EndObject())
    builder.StartVector(4, 2, 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    vector = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, vector, 0)
    data = builder.finish(builder.EndObject(), b"TEST", alignments={})
    expected = [
        *(8, 0, 0, 0),  # 0: the root table stands at 8
        *b"TEST",
        *(206, 255, 255, 255),  # 8: root: its vtable stands at 8 - (-50) = 58
        *(4, 0, 0, 0),  # its field 0: the vector at 12 + 4
        *(2, 0, 0, 0),  # 16: two references, both to 28
        *(8, 0, 0, 0),
        *(4, 0, 0, 0),
        *(236, 255, 255, 255),  # 28: the one table: its vtable stands at 28 - (-20) = 48
        *(8, 0, 0, 0),  # field 0: the string at 32 + 8
        *(9, 0, 0, 0),  # field 2, one byte, and padding
        *(2, 0, 0, 0),  # 40: the one string
        *(97, 98, 0, 0),
        *(10, 0, 9, 0),  # 48: vtable of 10 bytes for a table of 9: field 0 at byte 4, 1 at its default, 2 at byte 8
        *(4, 0, 0, 0),
        *(8, 0),
        *(6, 0, 8, 0, 4, 0),  # 58: vtable of 6 bytes for a table of 8: field 0 at byte 4
    ]
    assert list(data) == expected


def test_small_pieces_fill_the_gaps_before_aligned_ones() -> None:
    ordered = [Piece("a", bytes(5))]
    free = [
        Piece("text", bytes(11), lead=4),
        Piece("data", bytes(20), alignment=16, lead=4),
        Piece("more", bytes(20), alignment=16, lead=4),
        Piece("word", bytes(4)),
        Piece("half", bytes(2), alignment=2),
    ]
    places = {piece.key: at for at, piece in place(8, ordered, free)}
    # The content of data stands at 32 and that of more at 64. Of the 12 bytes before the first, text takes 11.
    assert places == {"a": 8, "text": 16, "data": 28, "word": 48, "half": 52, "more": 60}


def test_equal_parts_are_stored_once() -> None:
    schema_objects = objects.generated()
    model = objects.parse(conv_network())
    tensors = model.subgraphs[0].tensors
    scale, zero_point = list(tensors[0].quantization.scale), list(tensors[0].quantization.zeroPoint)
    for name in (tensors[0].name, "other"):
        twin = schema_objects.TensorT(shape=list(tensors[0].shape), type=tensors[0].type, name=name)
        twin.quantization = schema_objects.QuantizationParametersT(scale=scale, zeroPoint=zero_point)
        tensors.append(twin)
    *_, equal, other = found = root(objects.pack(model), schema.FILE_IDENTIFIER).tables(2)[0].tables(0)
    assert equal.position == found[0].position, "an equal tensor"
    assert other.position != found[0].position
    assert other.table(4) == found[0].table(4), "equal QuantizationParameters of different tensors"


def test_constant_data_is_aligned_and_64_bit_numbers_too() -> None:
    model = objects.parse(conv_network())
    for index, buffer in enumerate(model.buffers[1:]):
        buffer.data = np.arange(1 + 3 * index, dtype=np.uint8)
    data = objects.pack(model)
    base = np.frombuffer(data, np.uint8).ctypes.data
    table = root(data, schema.FILE_IDENTIFIER)
    constants = [buffer.array(0, "u1") for buffer in table.tables(4)]
    assert [constant.size for constant in constants] == [0, *range(1, 3 * len(constants) - 3, 3)]
    assert all((constant.ctypes.data - base) % 16 == 0 for constant in constants if constant.size)
    for tensor in table.tables(2)[0].tables(0):
        quantization = tensor.table(4)
        points = None if quantization is None else quantization.array(3, "<i8")
        assert points is None or not points.size or (points.ctypes.data - base) % 8 == 0


def parts(value: Any) -> Any:
    """A tree of objects as plain data; absent and empty vectors are the same."""
    if isinstance(value, np.ndarray | list):
        return [parts(item) for item in value] or None
    if isinstance(value, np.generic):
        return value.item()
    return {key: parts(item) for key, item in vars(value).items()} if hasattr(value, "__dict__") else value


def test_a_network_survives_packing() -> None:
    model = objects.parse(conv_network())
    assert parts(objects.parse(objects.pack(model))) == parts(model)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_survives_packing(models: Path, name: str) -> None:
    data = (models / name).read_bytes()
    model = objects.parse(data)
    packed = objects.pack(model)
    assert parts(objects.parse(packed)) == parts(model)
    assert len(packed) < len(data)
    assert objects.pack(objects.parse(packed)) == packed
