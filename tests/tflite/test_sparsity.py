"""TFLite's sparsity encoding: the tables of matrices that an eye can check, and that decoding undoes it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesparse.errors import ModelError
from edgesparse.mobile import sparsity_objects
from edgesparse.mobile.sparsity import Level, Scheme, SparseTensor, decode, encode, smallest
from edgesparse.tflite import objects

DRAWN = np.array(
    [
        [0, 5, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, -2],
    ],
    np.int8,
)


def tables(sparse: SparseTensor) -> list[Any]:
    """Per level its size, or the lists of segments and indices."""
    return [
        level.size if level.segments is None else (level.segments.tolist(), np.asarray(level.indices).tolist())
        for level in sparse.levels
    ]


def test_single_values_along_the_last_axis() -> None:
    sparse = encode(DRAWN, Scheme(1, (1, 1)))
    assert (sparse.traversal_order, sparse.block_map) == ((0, 1), ())
    assert tables(sparse) == [3, ([0, 1, 1, 3], [1, 0, 3])]
    assert sparse.values.tolist() == [5, 1, -2]
    assert sparse.nbytes == 3 + 3 + 4


def test_single_values_along_the_first_axis_walk_the_columns() -> None:
    sparse = encode(DRAWN, Scheme(0, (1, 1)))
    assert sparse.traversal_order == (1, 0)
    assert tables(sparse) == [4, ([0, 1, 2, 2, 3], [2, 0, 2])]
    assert sparse.values.tolist() == [1, 5, -2]


def test_blocks_along_the_last_axis() -> None:
    sparse = encode(DRAWN, Scheme(1, (1, 2)))
    assert (sparse.traversal_order, sparse.block_map) == ((0, 1, 2), (1,))
    assert tables(sparse) == [3, ([0, 1, 1, 3], [0, 0, 1]), 2]
    assert sparse.values.tolist() == [0, 5, 1, 0, 0, -2]


def test_blocks_along_both_axes() -> None:
    matrix = np.array(
        [
            [0, 0, 1, 2],
            [0, 0, 0, 3],
            [0, 4, 0, 0],
            [0, 0, 0, 0],
        ],
        np.int8,
    )
    sparse = encode(matrix, Scheme(1, (2, 2)))
    assert (sparse.traversal_order, sparse.block_map) == ((0, 1, 2, 3), (0, 1))
    assert tables(sparse) == [2, ([0, 1, 2], [1, 0]), 2, 2]
    assert sparse.values.tolist() == [1, 2, 0, 3, 0, 4, 0, 0]


def test_the_filters_of_a_convolution_may_be_walked_by_output_channel() -> None:
    filters = np.zeros((3, 1, 2, 2), np.int8)  # [out, kh, kw, in]
    filters[2, 0, 0, 1], filters[0, 0, 1, 0], filters[1, 0, 1, 0] = 7, 8, 9
    sparse = encode(filters, Scheme(0, (1, 1, 1, 1)))
    assert sparse.traversal_order == (1, 2, 3, 0)
    assert tables(sparse) == [1, 2, 2, ([0, 0, 1, 3, 3], [2, 0, 1])]
    assert sparse.values.tolist() == [7, 8, 9]


def test_a_tensor_of_zeros_keeps_its_first_block() -> None:
    sparse = encode(np.zeros((2, 8), np.int8), Scheme(1, (1, 4)))
    assert tables(sparse) == [2, ([0, 1, 1], [0]), 4]
    assert sparse.values.tolist() == [0, 0, 0, 0]
    assert not decode(sparse).any()


def test_a_dense_tensor_keeps_everything() -> None:
    matrix = np.arange(1, 7, dtype=np.int8).reshape(2, 3)
    sparse = encode(matrix, Scheme(1, (1, 1)))
    assert tables(sparse) == [2, ([0, 3, 6], [0, 1, 2, 0, 1, 2])]
    assert sparse.values.tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("columns", "kept", "index", "segment"),
    [
        (256, 255, np.uint8, np.uint8),
        (256, 256, np.uint8, np.uint16),
        (257, 1, np.uint16, np.uint8),
        (65_536, 65_536, np.uint16, np.int32),
    ],
)
def test_tables_take_the_smallest_type_that_fits(columns: int, kept: int, index: type, segment: type) -> None:
    matrix = np.zeros((1, columns), np.int8)
    matrix[0, columns - kept :] = 1
    level = encode(matrix, Scheme(1, (1, 1))).levels[1]
    assert level.indices is not None
    assert level.segments is not None
    assert (level.indices.dtype, level.segments.dtype) == (index, segment)


def test_the_smallest_encoding_follows_the_pattern() -> None:
    rng = np.random.default_rng(0)
    single = (rng.random((64, 64)) < 0.2) * rng.integers(1, 100, (64, 64))
    fours = np.repeat(rng.random((64, 16)) < 0.2, 4, axis=1) * rng.integers(1, 100, (64, 64))
    eights = np.repeat(np.repeat(rng.random((32, 16)) < 0.2, 4, axis=1), 2, axis=0) * rng.integers(1, 100, (64, 64))
    assert [smallest(w.astype(np.int8))[0].name for w in (single, fours, eights)] == [
        "unstructured",
        "block1x4",
        "block2x4",
    ]


def test_the_longer_axis_is_walked_where_its_indices_fit_a_byte() -> None:
    rng = np.random.default_rng(1)
    wide = ((rng.random((128, 640)) < 0.2) * 3).astype(np.int8)
    scheme, sparse = smallest(wide)
    assert scheme == Scheme(0, (1, 1))
    assert sparse.nbytes == 2 * np.count_nonzero(wide) + 2 * 641


@st.composite
def tensors(draw: st.DrawFn) -> np.ndarray:
    rank = draw(st.sampled_from([2, 4]))
    shape = tuple(draw(st.integers(1, 9)) * draw(st.sampled_from([1, 2, 4])) for _ in range(rank))
    shape = tuple(size if axis in (0, rank - 1) else min(size, 3) for axis, size in enumerate(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    values = rng.integers(-128, 128, shape).astype(draw(st.sampled_from([np.int8, np.float32])))
    return values * (rng.random(shape) < density).astype(values.dtype)


@given(weights=tensors(), data=st.data())
def test_decoding_gives_the_weights_back(weights: np.ndarray, data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([n for n in (1, 2, 4) if weights.shape[0] % n == 0]))
    last = data.draw(st.sampled_from([n for n in (1, 2, 4) if weights.shape[-1] % n == 0]))
    axis = data.draw(st.integers(0, weights.ndim - 1))
    block = (first, *(1 for _ in weights.shape[1:-1]), last)
    encoded = encode(weights, Scheme(axis, block))
    np.testing.assert_array_equal(decode(encoded), weights)
    scheme, best = smallest(weights)
    np.testing.assert_array_equal(decode(best), weights)
    assert best.nbytes <= encoded.nbytes
    assert math.prod(scheme.block) <= weights.size


def test_levels_below_a_sparse_one_may_be_sparse_too() -> None:
    rows = Level(3, np.array([0, 2], np.uint8), np.array([0, 2], np.uint8))
    columns = Level(4, np.array([0, 1, 3], np.uint8), np.array([1, 0, 3], np.uint8))
    sparse = SparseTensor((3, 4), (0, 1), (), (rows, columns), np.array([5, 1, -2], np.int8))
    np.testing.assert_array_equal(decode(sparse), DRAWN)


@pytest.mark.parametrize("scheme", [Scheme(1, (1, 1)), Scheme(0, (1, 2)), Scheme(1, (3, 4))])
def test_the_schema_objects_hold_all_of_it(scheme: Scheme) -> None:
    sparse = encode(DRAWN, scheme)
    parameters = sparsity_objects.write(sparse)
    np.testing.assert_array_equal(decode(sparsity_objects.read(parameters, (3, 4), sparse.values)), DRAWN)


def test_damaged_tables_are_an_error() -> None:
    sparse = encode(DRAWN, Scheme(1, (1, 2)))

    def refused(match: str, values: np.ndarray = sparse.values, **changes: Any) -> None:
        parameters = sparsity_objects.write(sparse)
        for name, value in changes.items():
            setattr(parameters, name, value)
        with pytest.raises(ModelError, match=match):
            sparsity_objects.read(parameters, (3, 4), values)

    level = sparsity_objects.write(sparse).dimMetadata
    far, short, negative = (sparsity_objects.write(sparse).dimMetadata for _ in range(3))
    far[1].arrayIndices.values = np.array([0, 0, 2], np.uint8)
    short[1].arraySegments.values = np.array([0, 1, 3], np.uint8)
    negative[1].arraySegments.values = np.array([0, 2, 1, 3], np.uint8)
    unknown = sparsity_objects.write(sparse).dimMetadata
    unknown[1].arrayIndicesType = 9
    refused("2 levels", dimMetadata=level[:2])
    refused(r"order \[0, 2, 1\]", traversalOrder=[0, 2, 1])
    refused("blocks of axes", blockMap=[7])
    refused("lies outside", dimMetadata=far)
    refused("segments", dimMetadata=short)
    refused("segments", dimMetadata=negative)
    refused("type 9", dimMetadata=unknown)
    refused("the buffer holds 5", values=sparse.values[:5])


def test_nothing_is_lost_on_the_way_through_a_file() -> None:
    schema = objects.generated()
    sparse = encode(DRAWN, Scheme(1, (1, 1)))
    tensor = schema.TensorT(
        shape=[3, 4], type=schema.TensorType.INT8, buffer=1, sparsity=sparsity_objects.write(sparse)
    )
    model = schema.ModelT(version=3, operatorCodes=[], subgraphs=[schema.SubGraphT(tensors=[tensor])])
    model.buffers = [schema.BufferT(), schema.BufferT(data=sparse.values.view(np.uint8))]
    read = objects.parse(objects.pack(model))
    values = np.asarray(read.buffers[1].data).view(np.int8)
    found = sparsity_objects.read(read.subgraphs[0].tensors[0].sparsity, (3, 4), values)
    np.testing.assert_array_equal(decode(found), DRAWN)
