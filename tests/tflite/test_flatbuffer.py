"""Flatbuffers drawn byte by byte: what is read of them, and that nothing outside of them is."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from edgesparse.errors import ModelError
from edgesparse.limits import MAX_TENSORS, MAX_TEXT_BYTES
from edgesparse.tflite.flatbuffer import Table, root

IDENTIFIER = b"TEST"


def table(*fields: bytes | None, behind: bytes = b"") -> Table:
    """A table of these fields in this order, None for one that is absent; `behind` follows the last one.

    0   offset of the table
    4   TEST
    8   vtable: its size, the table's, an offset per field
    n   table: how far back the vtable is, the fields
    """
    start = 8 + 4 + 2 * len(fields)
    offsets, body = [], b""
    for field in fields:
        offsets.append(0 if field is None else 4 + len(body))
        body += field or b""
    vtable = struct.pack(f"<HH{len(fields)}H", 4 + 2 * len(fields), 4 + len(body), *offsets)
    return root(
        struct.pack("<I", start) + IDENTIFIER + vtable + struct.pack("<i", start - 8) + body + behind, IDENTIFIER
    )


def test_scalars_have_their_sign_and_size() -> None:
    ones = b"\xff" * 8
    assert table(ones).int8(0) == -1
    assert table(ones).int32(0) == -1
    assert table(ones).uint32(0) == 2**32 - 1
    assert table(ones).uint64(0) == 2**64 - 1
    in_order = bytes(range(1, 9))
    assert table(in_order).int8(0) == 1
    assert table(in_order).int32(0) == table(in_order).uint32(0) == 0x04030201
    assert table(in_order).uint64(0) == 0x0807060504030201
    assert table(struct.pack("<f", -1.5)).float32(0, 9.0) == -1.5
    assert [table(bytes([byte])).boolean(0) for byte in (0, 1, 2)] == [False, True, True]


def test_fields_are_found_by_their_number() -> None:
    three = table(b"\x05", None, b"\x07\0\0\0")
    assert (three.int8(0), three.int8(1), three.int32(2)) == (5, 0, 7)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_what_is_absent_has_its_default(field: int) -> None:
    """Field 0 has no offset in the vtable; the vtable ends before the others."""
    nothing = table(None)
    assert nothing.int8(field) == nothing.int32(field) == nothing.uint32(field) == nothing.uint64(field) == 0
    assert nothing.int32(field, -3) == -3
    assert nothing.float32(field, 0.5) == 0.5
    assert nothing.boolean(field) is False
    assert nothing.text(field) == ""
    assert nothing.array(field, "<i4").size == 0
    assert nothing.array(field, "<i4").dtype == np.int32
    assert nothing.table(field) is None
    assert nothing.tables(field) == ()


def test_tables_may_be_large() -> None:
    """Sizes and offsets of 16 bits have no sign."""
    many = table(*(None for _ in range(20_000)), b"\x05")
    assert (many.int8(20_000), many.int8(20_001)) == (5, 0)
    assert table(b"\0" * 40_000, b"\x07").int8(1) == 7


def test_offsets_do_not_lead_back() -> None:
    """2^32 - 1 is far ahead, not one byte back."""
    back = table(b"\xff" * 4, behind=b"\0" * 8)
    for read in (lambda: back.table(0), lambda: back.text(0), lambda: back.array(0, "u1"), lambda: back.tables(0)):
        with pytest.raises(ModelError, match=f"offset {18 + 2**32 - 1} lies outside"):
            read()
    with pytest.raises(ModelError, match=f"offset {26 + 2**32 - 1} lies outside"):
        vector(1, b"\xff" * 4).tables(0)


def vector(length: int, items: bytes) -> Table:
    """A table whose only field leads to a vector right behind it."""
    return table(struct.pack("<I", 4), behind=struct.pack("<I", length) + items)


def test_vectors_are_read_to_their_last_item() -> None:
    array = vector(2, struct.pack("<2i", 5, -6)).array(0, "<i4")
    assert array.tolist() == [5, -6]
    assert not array.flags.writeable
    assert vector(3, b"\x01\x02\xff").array(0, "i1").tolist() == [1, 2, -1]
    assert vector(2, b"hello").text(0) == "he"
    assert vector(5, "h\u00e9llo".encode()).text(0) == "h\u00e9ll"
    assert vector(3, b"a\xffb").text(0) == "a\ufffdb"
    assert vector(0, b"").text(0) == ""


@pytest.mark.parametrize(("length", "items", "dtype"), [(3, 11, "<i4"), (1, 3, "<i4"), (2**31, 64, "i1"), (2, 1, "u1")])
def test_vectors_that_go_past_the_end_are_refused(length: int, items: int, dtype: str) -> None:
    with pytest.raises(ModelError, match=rf"a vector of {length} x \d bytes at \d+ runs past the end"):
        vector(length, b"\0" * items).array(0, dtype)


def test_names_have_a_longest() -> None:
    assert vector(MAX_TEXT_BYTES, b"x" * MAX_TEXT_BYTES).text(0) == "x" * MAX_TEXT_BYTES
    with pytest.raises(ModelError, match="a name of 65,537 bytes; at most 65,536"):
        vector(MAX_TEXT_BYTES + 1, b"x" * (MAX_TEXT_BYTES + 1)).text(0)


def test_tables_are_read_where_their_offsets_lead() -> None:
    """
    0  vector of two           12  vtable: 6 bytes, of a table of 5, field 0 at 4
    4  to the table at 18      18  table: 6 bytes back, field 0 is 9
    8  to the same
    """
    items = struct.pack("<III", 2, 14, 10) + struct.pack("<HHH", 6, 5, 4) + struct.pack("<ib", 6, 9)
    pair = table(struct.pack("<I", 4), behind=items)
    assert [inner.int8(0) for inner in pair.tables(0)] == [9, 9]
    assert [inner.int8(0) for inner in pair.tables(0, most=2)] == [9, 9]
    with pytest.raises(ModelError, match="a list of 2 tables; at most 1 are read"):
        pair.tables(0, most=1)
    single = table(struct.pack("<I", 4 + 6), behind=struct.pack("<HHH", 6, 5, 4) + struct.pack("<ib", 6, 9))
    inner = single.table(0)
    assert inner is not None
    assert inner.int8(0) == 9


def test_lists_of_tables_have_a_longest() -> None:
    with pytest.raises(ModelError, match="a list of 100,001 tables; at most 100,000"):
        vector(MAX_TENSORS + 1, b"\0" * 4 * (MAX_TENSORS + 1)).tables(0)


@pytest.mark.parametrize("items", [0, 3, 7])
def test_lists_of_tables_that_go_past_the_end_are_refused(items: int) -> None:
    with pytest.raises(ModelError, match="a vector of 2 x 4 bytes"):
        vector(2, b"\0" * items).tables(0)


@pytest.mark.parametrize(
    ("read", "size"),
    [("int8", 1), ("boolean", 1), ("int32", 4), ("uint32", 4), ("uint64", 8)],
)
def test_scalars_that_go_past_the_end_are_refused(read: str, size: int) -> None:
    whole = table(b"\0" * size)
    assert getattr(whole, read)(0) == 0
    with pytest.raises(ModelError, match=r"offset 18 lies outside its \d+ bytes"):
        getattr(Table(whole.buffer[:-1], whole.position), read)(0)


def test_floats_and_offsets_that_go_past_the_end_are_refused() -> None:
    whole = table(b"\0" * 4)
    short = Table(whole.buffer[:-1], whole.position)
    for read in (lambda: short.float32(0, 0.0), lambda: short.table(0), lambda: short.text(0), lambda: short.tables(0)):
        with pytest.raises(ModelError, match="offset 18 lies outside its 21 bytes"):
            read()


def test_offsets_before_the_beginning_are_refused() -> None:
    """A vtable 100 bytes before the table, where there are only 16."""
    buffer = struct.pack("<I", 16) + IDENTIFIER + b"\0" * 8 + struct.pack("<i", 100)
    with pytest.raises(ModelError, match="offset -84 lies outside its 20 bytes"):
        root(buffer, IDENTIFIER)


@pytest.mark.parametrize("junk", [b"", b"\x0c\0\0\0", b"\x0c\0\0\0TES", b"\x0c\0\0\0BEST" + b"\0" * 12])
def test_what_has_no_identifier_is_refused(junk: bytes) -> None:
    with pytest.raises(ModelError, match="not a flatbuffer with identifier 'TEST'"):
        root(junk, IDENTIFIER)


def test_the_root_is_inside_of_the_file() -> None:
    for place, missing in ((5, 5), (8, 8), (2**32 - 1, 2**32 - 1)):
        with pytest.raises(ModelError, match=f"offset {missing} lies outside its 8 bytes"):
            root(struct.pack("<I", place) + IDENTIFIER, IDENTIFIER)


@pytest.mark.parametrize(("size", "fits"), [(4, True), (6, True), (2, False), (5, False), (0, False), (8, False)])
def test_vtables_have_their_own_size_and_are_inside_of_the_file(size: int, fits: bool) -> None:
    """
    8   table: the vtable is 4 bytes further
    12  vtable, to the end at 18
    """
    buffer = struct.pack("<I", 8) + IDENTIFIER + struct.pack("<i", -4) + struct.pack("<HHH", size, 4, 0)
    if fits:
        assert root(buffer, IDENTIFIER) == Table(buffer, 8)
        return
    with pytest.raises(ModelError, match=f"the vtable at 12 has {size} bytes"):
        root(buffer, IDENTIFIER)
