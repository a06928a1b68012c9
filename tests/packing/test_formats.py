"""Every weight format: unpack(pack(w)) == w, and the bytes that FORMAT.md describes."""

from __future__ import annotations

from dataclasses import fields
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgesparse.errors import ModelError
from edgesparse.packing import bitmap, columns, delta4, dense, dense_fours, gaps, pairs, row_blocks, row_delta8
from edgesparse.packing.filter_streams import pack_block1x4, pack_delta8, unpack_block1x4, unpack_delta8

FORMATS = [bitmap, columns, delta4, dense, row_delta8]
TYPES = {
    "int": int,
    "Int8Array": np.int8,
    "npt.NDArray[np.uint8]": np.uint8,
    "npt.NDArray[np.uint16]": np.uint16,
    "npt.NDArray[np.int64]": np.int64,
}


def assert_types(packed: Any) -> None:
    """What the C arrays are made of has the types that the fields state."""
    for field in fields(packed):
        value = getattr(packed, field.name)
        assert (value.dtype if isinstance(value, np.ndarray) else type(value)) == TYPES[str(field.type)], field.name


def assert_same(unpacked: NDArray[np.int8], weights: NDArray[np.int8]) -> None:
    assert unpacked.dtype == np.int8
    assert np.array_equal(unpacked, weights)


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[np.int8]:
    rows, columns = draw(st.integers(0, 6)), draw(st.sampled_from([1, 2, 3, 4, 5, 8, 31, 255, 256, 257, 1100, 4099]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.001, 0.01, 0.25, 1.0]))
    weights = rng.integers(-128, 128, (rows, columns)) * (rng.random((rows, columns)) < density)
    return weights.astype(np.int8)


@pytest.mark.parametrize("format", FORMATS, ids=lambda module: module.__name__.rsplit(".", 1)[-1])
@settings(max_examples=150, derandomize=True, deadline=None)
@given(weights=matrices())
def test_unpack_inverts_pack(format: ModuleType, weights: NDArray[np.int8]) -> None:
    packed = format.pack(weights)
    assert_types(packed)
    assert_same(format.unpack(packed), weights)


@pytest.mark.parametrize("height", [1, 2, 4])
@settings(max_examples=150, derandomize=True, deadline=None)
@given(weights=matrices())
def test_unpack_inverts_pack_of_row_blocks(height: int, weights: NDArray[np.int8]) -> None:
    packed = row_blocks.pack(weights, height)
    assert_types(packed)
    assert_same(row_blocks.unpack(packed), weights)
    assert len(packed.values) == 4 * height * len(packed.gaps)
    assert packed.counts.sum() == len(packed.gaps)


@pytest.mark.parametrize("unit", [1, 3])
@settings(max_examples=150, derandomize=True, deadline=None)
@given(weights=matrices())
def test_unpack_inverts_pack_of_filter_blocks(unit: int, weights: NDArray[np.int8]) -> None:
    packed = pack_block1x4(weights, unit)
    assert_types(packed)
    assert_same(unpack_block1x4(packed), weights)
    assert len(packed.stream) == 5 * packed.blocks


@settings(max_examples=150, derandomize=True, deadline=None)
@given(weights=matrices())
def test_unpack_inverts_pack_of_dense_fours(weights: NDArray[np.int8]) -> None:
    weights = np.maximum(weights, -127)
    packed = dense_fours.pack(weights)
    assert_types(packed)
    assert_same(dense_fours.unpack(packed), weights)


def test_pairs_are_one_int16_each() -> None:
    weights = np.array([[3, 5, -1, 7, -128, -127, 127, -128, 0, -128]], np.int8)
    lanes = pairs.encode(weights).view("<i2")
    assert lanes.tolist() == [[3 + 256 * 5, -1 + 256 * 7, -128 - 256 * 127, 127 - 256 * 128, -256 * 128]]
    assert np.array_equal(pairs.decode(pairs.encode(weights)), weights)
    assert pairs.misfits(weights).tolist() == [[False, False, False, False, False]]
    assert pairs.misfits(np.array([[-1, -128, 1, -128, -1, -127]], np.int8)).tolist() == [[True, False, False]]
    sums = pairs.even_sums(weights)
    assert sums.tolist() == [3 - 1 - 128 + 127]
    assert sums.dtype == np.int32


def test_dense_fours_refuses_what_leaves_int16() -> None:
    with pytest.raises(ModelError, match="1 weights of -128 stand behind a negative weight"):
        dense_fours.pack(np.array([[1, -128, -1, -128]], np.int8))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(weights=matrices())
def test_unpack_inverts_pack_of_filter_deltas(weights: NDArray[np.int8]) -> None:
    packed = pack_delta8(weights)
    assert_types(packed)
    assert_same(unpack_delta8(packed), weights)
    assert len(packed.pairs) == packed.entries + len(weights), "a zero ends each row"


SMALL = np.array(
    [
        [0, 0, 0, 0,   5, 0, 0, -1,  0, 0, 0, 0,   9],
        [0, 0, 0, 0,   0, 0, 0,  0,  0, 0, 0, 0,   0],
        [1, 2, 3, 4,   0, 0, 0,  0,  0, 0, 7, 0,   0],
    ],
    np.int8,
)  # fmt: skip


def test_dense_pads_rows_to_four() -> None:
    packed = dense.pack(SMALL)
    assert packed.stride == 16
    assert packed.values.reshape(3, 16)[:, 13:].tolist() == [[0, 0, 0]] * 3


def test_dense_fours_bytes() -> None:
    rows = np.arange(5, dtype=np.int8).reshape(5, 1) + np.array([[1, 2, 3, 4, 5]], np.int8)
    packed = dense_fours.pack(rows)
    assert packed.values[:16].tolist() == [1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7]
    assert packed.values[16:32].tolist() == [5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0]
    assert packed.values[32:].tolist() == [5, 6, 7, 8, 9, 0, 0, 0]


def test_row_blocks_bytes() -> None:
    one = row_blocks.pack(SMALL, 1)
    assert one.counts.tolist() == [2, 0, 2]
    assert one.gaps.tolist() == [8, 16, 0, 16]
    assert one.values.tolist() == [5, 0, 0, -1, 9, 0, 0, 0, 1, 2, 3, 4, 0, 0, 7, 0]
    two = row_blocks.pack(SMALL, 2)
    assert two.counts.tolist() == [2, 2]
    assert two.gaps.tolist() == [8, 16, 0, 16]
    blocks = [[5, 0, 0, -1, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 0, 0, 0, 0], [0, 0, 7, 0, 0, 0, 0, 0]]
    assert two.values.reshape(4, 8).tolist() == blocks


def test_a_block_that_leaves_int16_becomes_two() -> None:
    packed = row_blocks.pack(np.array([[0, 0, 0, 0, -1, -128, 4, -128]], np.int8), 1)
    assert packed.counts.tolist() == [2]
    assert packed.gaps.tolist() == [8, 0]
    assert pairs.decode(packed.values.reshape(2, 4)).tolist() == [[-1, -127, 4, -128], [0, -1, 0, 0]]


def test_row_delta8_bytes() -> None:
    packed = row_delta8.pack(SMALL)
    assert packed.counts.tolist() == [3, 0, 5]
    assert packed.gaps.tolist() == [4, 3, 5, 0, 1, 1, 1, 7]
    assert packed.values.tolist() == [5, -1, 9, 1, 2, 3, 4, 7]


@pytest.mark.parametrize(
    ("column", "expected"),
    [(255, [255]), (256, [255, 1]), (510, [255, 255]), (511, [255, 255, 1]), (1000, [255, 255, 255, 235])],
)
def test_long_gaps_take_fillers(column: int, expected: list[int]) -> None:
    weights = np.zeros((1, 1001), np.int8)
    weights[0, column] = 3
    packed = row_delta8.pack(weights)
    assert packed.gaps.tolist() == expected
    assert packed.values.tolist() == [0] * (len(expected) - 1) + [3]


def test_a_row_with_too_many_entries_is_refused() -> None:
    keep = np.ones((1, gaps.MOST_ENTRIES + 1), np.bool_)
    with pytest.raises(ModelError, match="65536 packed entries, at most 65535 fit"):
        gaps.encode(keep)
    assert gaps.encode(keep[:, 1:]).counts.tolist() == [65535]


def test_a_row_with_too_many_blocks_is_refused() -> None:
    """One weight of -128 behind a negative one makes two blocks of one."""
    weights = np.ones((1, 4 * gaps.MOST_ENTRIES), np.int8)
    assert row_blocks.pack(weights, 1).counts.tolist() == [65535]
    weights[0, -2:] = -1, -128
    with pytest.raises(ModelError, match="65536 packed blocks, at most 65535 fit"):
        row_blocks.pack(weights, 1)


@pytest.mark.parametrize("longest", [1, 2, 15, 255])
@settings(max_examples=50, derandomize=True, deadline=None)
@given(weights=matrices())
def test_gaps_of_any_length_lead_to_the_kept_columns(longest: int, weights: NDArray[np.int8]) -> None:
    keep = weights != 0
    encoded = gaps.encode(keep, longest)
    decoded = gaps.decode(encoded.counts, encoded.gaps)
    assert_types(encoded)
    assert_types(decoded)
    fillers = encoded.columns == -1
    assert np.array_equal(np.argwhere(keep), np.stack([decoded.rows, decoded.columns], axis=1)[~fillers])
    assert np.array_equal(encoded.columns[~fillers], decoded.columns[~fillers])
    assert np.array_equal(encoded.rows, decoded.rows)
    assert decoded.counts is encoded.counts
    assert decoded.gaps is encoded.gaps
    assert np.all(encoded.gaps[fillers] == longest)
    assert np.all(encoded.gaps <= longest)


@pytest.mark.parametrize(("unit", "gaps_of"), [(1, [1, 2, 0, 0, 2]), (3, [3, 4, 0, 0, 4])])
def test_filter_block1x4_bytes(unit: int, gaps_of: list[int]) -> None:
    a, b, c, d, e = gaps_of
    packed = pack_block1x4(SMALL, unit)
    last = -128
    assert packed.stream.tolist() == [
        a, 5, 0, 0, -1, last + b, 9, 0, 0, 0,
        last + c, 0, 0, 0, 0,
        d, 1, 2, 3, 4, last + e, 0, 0, 7, 0,
    ]  # fmt: skip
    assert packed.blocks == 5


def test_bitmap_bytes() -> None:
    packed = bitmap.pack(SMALL)
    assert packed.stream.view(np.uint8).tolist() == [
        0b10010000, 0b00010000, 5, 255, 9,
        0, 0,
        0b00001111, 0b00000100, 1, 2, 3, 4, 7,
    ]  # fmt: skip
    assert (packed.entries, packed.blocks, packed.bits) == (8, 4, 8 + 5 + 4 + 3)
    none = bitmap.pack(SMALL[:0])
    assert (none.stream.tolist(), none.entries, none.blocks, none.bits) == ([], 0, 0, 0)


@pytest.mark.parametrize(("columns_of", "blocks", "bits"), [([0], 1, 1), ([3], 1, 4), ([4], 1, 5), ([7, 8], 2, 9)])
def test_bitmap_counts_groups_of_four_columns(columns_of: list[int], blocks: int, bits: int) -> None:
    weights = np.zeros((1, 16), np.int8)
    weights[0, columns_of] = 3
    packed = bitmap.pack(weights)
    assert (packed.blocks, packed.bits) == (blocks, bits)


def test_filter_delta4_bytes() -> None:
    packed = delta4.pack(SMALL)
    assert packed.stream.view(np.uint8).tolist() == [
        0x34, 5, 255, 0x05, 9, 0, 0,
        0, 0, 0, 0,
        0x10, 1, 2, 0x11, 3, 4, 0x07, 7, 0, 0,
    ]  # fmt: skip
    assert packed.pairs == 6


@pytest.mark.parametrize(("column", "expected"), [(15, [0x0F]), (16, [0x1F]), (31, [0xFF, 0x01])])
def test_long_filter_gaps_take_fillers_of_15(column: int, expected: list[int]) -> None:
    weights = np.zeros((1, 40), np.int8)
    weights[0, column] = 3
    assert delta4.pack(weights).stream.view(np.uint8)[:-1:3].tolist() == expected


def test_columns_bytes() -> None:
    packed = columns.pack(np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], np.int8))
    assert packed.values.tolist() == [1, 3, 5, 7, 2, 4, 6, 8, 9, 0, 0, 0, 10, 0, 0, 0]


def test_filter_delta8_bytes() -> None:
    packed = pack_delta8(SMALL)
    expected = [(4, 5), (3, -1), (5, 9), (0, 0), (0, 0), (0, 0), (0, 1), (1, 2), (1, 3), (1, 4), (7, 7), (0, 0)]
    assert packed.pairs.tolist() == [gap | (value & 0xFF) << 8 for gap, value in expected]
    assert packed.entries == 9


@pytest.mark.parametrize(("column", "expected"), [(255, [255]), (256, [255, 1]), (510, [255, 255])])
def test_long_gaps_of_filter_delta8_take_fillers(column: int, expected: list[int]) -> None:
    weights = np.zeros((1, 600), np.int8)
    weights[0, column] = 3
    packed = pack_delta8(weights)
    assert (packed.pairs & 0xFF).tolist() == [*expected, 0]
    assert (packed.pairs >> 8).tolist() == [*(0 for _ in expected[1:]), 3, 0]
    assert packed.entries == len(expected)


@pytest.mark.parametrize(("block", "expected"), [(42, [126]), (43, [126, 1]), (85, [126, 127]), (86, [126, 127, 1])])
def test_long_filter_gaps_take_blocks_of_zeros(block: int, expected: list[int]) -> None:
    weights = np.zeros((1, 1000), np.int8)
    weights[0, 4 * block] = 3
    packed = pack_block1x4(weights, 3)
    stream = packed.stream.view(np.uint8)
    assert packed.blocks == len(expected)
    assert stream[::5].tolist() == [*expected[:-1], 128 + expected[-1]]
