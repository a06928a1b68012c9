"""ADD, SUB and MUL with constants: lines that equal the reference, and which ops share a kernel call."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesparse.errors import UnsupportedError
from edgesparse.fixedpoint import quantize_multiplier
from edgesparse.lowering.broadcast import Broadcast, broadcast
from edgesparse.lowering.lines import FRACTION_BITS, fit_lines, fit_pieces
from edgesparse.lowering.lower import lower
from edgesparse.lowering.two_bytes import Product
from edgesparse.tflite.read import read_graph
from tests.support.host_kernels import DSP
from tests.support.tflite_builder import TfliteBuilder

BYTES = np.arange(-128, 128, dtype=np.int64)


def _products(input_zero_point: int, factors: list[int], low: int = -128) -> NDArray[np.int64]:
    values = Product(quantize_multiplier(1 / 107), (input_zero_point, 0, -20), low)
    return values(BYTES, np.array(factors, np.int64)[:, None])


def _on_lines(factors: NDArray[np.int64], constants: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip((factors[:, None] * BYTES + constants[:, None]) >> FRACTION_BITS, -128, 127)


def test_behind_a_relu_lines_give_every_product() -> None:
    outputs = _products(-128, [*range(-127, 128)])
    lines = fit_lines(outputs)
    assert lines.exact.all()
    assert np.array_equal(_on_lines(lines.factors, lines.constants), outputs)


def test_a_steep_line_saturates_on_both_sides() -> None:
    outputs = np.clip((BYTES[None, :] - 3) * 50, -128, 127)
    assert fit_lines(outputs).exact.all()


@pytest.mark.parametrize("low", [-128, -20])
def test_two_lines_round_ties_on_both_sides_and_clamp(low: int) -> None:
    outputs = _products(7, [120, 123, 124, 127], low)
    assert not fit_lines(outputs).exact.any()
    pieces = fit_pieces(outputs)
    assert pieces.exact.all()
    pivot, *numbers = pieces.numbers.T
    below, above = _on_lines(numbers[0], numbers[1]), _on_lines(numbers[2], numbers[3])
    assert np.array_equal(np.where(pivot[:, None] > BYTES, below, above), outputs)


def test_what_is_no_two_lines_is_not_exact() -> None:
    assert not fit_pieces(np.where(BYTES % 2 == 0, 100, -100)[None, :]).exact.any()


def _chain(kinds: list[str], *, read_twice: int | None = None) -> bytes:
    """Ops with a constant per channel one after the other; what op `read_twice` gives is also added to the last."""
    b = TfliteBuilder()
    tensors = [b.input((1, 3, 3, 4), 0.05, -128)]
    for kind in kinds:
        constant = b.constant(np.array([3, -5, 7, 120], np.int8), 0.01)
        tensors.append(b.activation((1, 3, 3, 4), 0.05, -128))
        b.op(kind, [tensors[-2], constant], [tensors[-1]])
    if read_twice is not None:
        y = b.activation((1, 3, 3, 4), 0.1, 0)
        b.op("ADD", [tensors[-1], tensors[read_twice + 1]], [y])
        tensors.append(y)
    return b.build([tensors[-1]])


def test_two_ops_in_a_row_are_one_call() -> None:
    graph = read_graph(_chain(["MUL", "ADD", "SUB", "MUL", "ADD"]))
    packed = lower(graph, DSP)
    assert [call.op_index for call in packed.calls] == [1, 3, 4]
    assert packed.aliases == {
        graph.ops[0].outputs[0]: graph.inputs[0],
        graph.ops[2].outputs[0]: graph.ops[1].outputs[0],
    }
    assert packed.layers[0].reason == f"the kernel of {graph.ops[1].name!r} does it too"
    assert packed.layers[1].reason == f"one function of a byte for each of 4 channels, with {graph.ops[0].name!r}"


def test_a_constant_may_come_first() -> None:
    b = TfliteBuilder()
    x, y = b.input((1, 3, 3, 4), 0.05, -128), b.activation((1, 3, 3, 4), 0.05, 0)
    b.op("SUB", [b.constant(np.array(100, np.int8), 0.01), x], [y])
    packed = lower(read_graph(b.build([y])), DSP)
    assert packed.calls[0].inputs == (x,)
    assert packed.layers[0].reason == "one function of a byte"


def test_what_others_read_has_a_call_of_its_own() -> None:
    packed = lower(read_graph(_chain(["MUL", "ADD"], read_twice=0)), DSP)
    assert [call.op_index for call in packed.calls] == [0, 1, 2]
    assert not packed.aliases


@pytest.mark.parametrize(
    ("smaller", "expected"),
    [
        ((1, 4, 5, 6), Broadcast(1, 120, 0, 1)),
        ((6,), Broadcast(20, 6, 0, 1)),
        ((1, 6), Broadcast(20, 6, 0, 1)),
        ((1, 1, 5, 6), Broadcast(4, 30, 0, 1)),
        ((1, 4, 5, 1), Broadcast(20, 6, 1, 0)),
        ((1, 4, 1, 1), Broadcast(4, 30, 1, 0)),
        ((), Broadcast(1, 120, 0, 0)),
        ((1, 4, 1, 6), None),
        ((1, 4, 5, 3), None),
        ((2, 1, 4, 5, 6), None),
    ],
)
def test_how_the_smaller_input_repeats(smaller: tuple[int, ...], expected: Broadcast | None) -> None:
    assert broadcast((1, 4, 5, 6), smaller) == expected


def test_other_broadcasts_are_refused_by_name() -> None:
    b = TfliteBuilder()
    x = b.input((1, 4, 5, 6), 0.05, 0)
    rows = b.activation((1, 4, 1, 6), 0.05, 0)
    y = b.activation((1, 4, 5, 6), 0.05, 0)
    b.op("MEAN", [x, b.constant(np.array([2], np.int32))], [rows], keepDims=True)
    b.op("MUL", [x, rows], [y])
    with pytest.raises(
        UnsupportedError, match=r"\(MUL\): shapes \(1, 4, 5, 6\) and \(1, 4, 1, 6\) give .* per channel"
    ):
        lower(read_graph(b.build([y])), DSP)
