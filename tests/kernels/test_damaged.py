"""Damaged files are refused in one line, whatever byte is wrong: no crash, no kernel that writes past its output."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest

from edgesparse.boards import CORES
from edgesparse.errors import EdgesparseError, UnsupportedError
from edgesparse.lowering import lower
from edgesparse.tflite import read_graph
from tests.kernels.networks import NETWORKS
from tests.support.tflite_builder import TfliteBuilder

CORE = CORES["cortex-m4"]
FILES = 3
DAMAGES = 25
BYTES = (0, 1, 127, 128, 255)
OPTIONS = {
    "MAX_POOL_2D": {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1},
    "SOFTMAX": {"beta": 1.0},
}


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_any_wrong_bytes_give_an_error_of_ours_or_a_network(kind: str) -> None:
    rng = np.random.default_rng(0)
    for seed in range(FILES):
        data, _ = NETWORKS[kind](np.random.default_rng(seed))
        for _ in range(DAMAGES):
            damaged = bytearray(data)
            for position in rng.integers(0, len(data), rng.integers(1, 4)):
                damaged[position] = rng.choice(BYTES) if rng.integers(0, 2) else rng.integers(0, 256)
            with contextlib.suppress(EdgesparseError):
                lower(read_graph(bytes(damaged)), CORE)


def _lookup(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((1, 2, 2, 3), 0.1)], b.activation((1, 2, 2, 4), 0.1), "RELU"


def _softmax(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((1, 8), 0.1)], b.activation((1, 9), 1 / 256, -128), "SOFTMAX"


def _scalar_softmax(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((), 0.1)], b.activation((1, 2), 1 / 256, -128), "SOFTMAX"


def _dequantize(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((1, 8), 0.1)], b.activation((1, 9), dtype="float32"), "DEQUANTIZE"


def _pool(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((1, 8), 0.1)], b.activation((1, 8), 0.1), "MAX_POOL_2D"


def _axis(b: TfliteBuilder) -> tuple[list[int], int, str]:
    axes = b.constant(np.array([7], np.int32))
    return [b.input((1, 2, 2, 3), 0.1), axes], b.activation((1, 2, 2, 1), 0.1), "MEAN"


def _float_axis(b: TfliteBuilder) -> tuple[list[int], int, str]:
    axes = b.constant(np.array([np.nan], np.float32))
    return [b.input((1, 2, 2, 3), 0.1), axes], b.activation((1, 2, 2, 1), 0.1), "MEAN"


def _small_mean(b: TfliteBuilder) -> tuple[list[int], int, str]:
    axes = b.constant(np.array([1, 2], np.int32))
    return [b.input((1, 2, 2, 3), 0.1), axes], b.activation((1, 1), 0.1), "MEAN"


def _pad(b: TfliteBuilder) -> tuple[list[int], int, str]:
    pairs = b.constant(np.zeros((2, 2), np.int32))
    return [b.input((1, 8), 0.1), pairs], b.activation((1, 8, 1), 0.1), "PAD"


def _resize(b: TfliteBuilder) -> tuple[list[int], int, str]:
    size = b.constant(np.array([4, 4], np.int32))
    return [b.input((1, 2, 2, 3), 0.1), size], b.activation((1, 4, 4, 2), 0.1), "RESIZE_NEAREST_NEIGHBOR"


def _flat_weights(b: TfliteBuilder) -> tuple[list[int], int, str]:
    weights = b.constant(np.ones(8, np.int8), [0.1])
    bias = b.constant(np.zeros(1, np.int32))
    return [b.input((1, 8), 0.1), weights, bias], b.activation((1, 1), 0.1), "FULLY_CONNECTED"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_lookup, "12 values in and 16 out, expected as many"),
        (_softmax, "8 values in and 9 out, expected as many"),
        (_scalar_softmax, "1 values in and 2 out, expected as many"),
        (_dequantize, "8 values in and 9 out, expected as many"),
        (_pool, r"shape \(1, 8\); expected four axes"),
        (_axis, r"axes \[7\] of a tensor of 4 axes"),
        (_float_axis, "input 1 is float32, expected integers"),
        (_small_mean, "gives 3 values, the output has 1"),
        (_pad, r"\(1, 8\) is not padded to \(1, 8, 1\)"),
        (_resize, r"\(1, 2, 2, 3\) is not resized to \(1, 4, 4, 2\)"),
        (_flat_weights, r"weights \(8,\); expected two axes"),
    ],
)
def test_shapes_that_contradict_each_other_are_refused(
    make: Callable[[TfliteBuilder], tuple[list[int], int, str]], message: str
) -> None:
    b = TfliteBuilder()
    inputs, output, kind = make(b)
    b.op(kind, inputs, [output], **OPTIONS.get(kind, {}))
    graph = read_graph(b.build([output]))
    with pytest.raises(UnsupportedError, match=message):
        lower(graph, CORE)
