"""The flatbuffer reader: what it reads, and that damaged files raise ModelError and nothing else."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edgesparse.analysis import analyse
from edgesparse.boards import CORES
from edgesparse.commands.firmware import firmware
from edgesparse.errors import DoesNotFitError, EdgesparseError, ModelError
from edgesparse.graph import Conv2DOptions
from edgesparse.lowering import lower
from edgesparse.lowering.arena import plan_memory
from edgesparse.network import Network
from edgesparse.tflite import read_graph
from tests.support.small_networks import conv_network
from tests.support.tflite_builder import TfliteBuilder

CORE = CORES["cortex-m4"]


def test_a_network_is_read_as_it_was_built() -> None:
    graph = read_graph(conv_network())
    assert [op.kind for op in graph.ops] == ["CONV_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    first = graph.ops[0]
    assert first.options == Conv2DOptions(padding="SAME", stride_h=1, stride_w=1, activation="RELU")
    weights = graph.input(first, 1)
    assert weights.shape == (8, 3, 3, 4)
    assert weights.quant.per_channel
    assert graph.optional_input(first, 5) is None
    with pytest.raises(ModelError, match="input 5 is missing"):
        graph.input(first, 5)
    assert graph.tensors[graph.inputs[0]].quant.zero_point == 3


def test_counts_follow_the_definition() -> None:
    stats = analyse(read_graph(conv_network()))
    macs = [layer.macs for layer in stats.layers]
    assert macs == [8 * 8 * 8 * 36, 8 * 8 * 16 * 8, 0, 10 * 1024, 0]
    assert stats.prunable == 8 * 36 + 16 * 8 + 10 * 1024
    assert stats.layers[0].prunable, "four input channels are enough"


@pytest.mark.parametrize(
    "junk", [b"", b"TFL3", b"\0" * 64, b"hello, this is a text file and not a model", b"\xff" * 99]
)
def test_what_is_no_tflite_is_refused(junk: bytes) -> None:
    with pytest.raises(ModelError):
        read_graph(junk)


def relu(shape: tuple[int, ...]) -> bytes:
    b = TfliteBuilder()
    x, y = b.input(shape, 0.1), b.activation(shape, 0.1)
    b.op("RELU", [x], [y])
    return b.build([y])


@pytest.mark.parametrize("shape", [(1, 1 << 14, 1 << 13), (1, (64 << 20) + 1), (0, 1 << 30), (1, 2**31 - 1, 2**31 - 1)])
def test_shapes_that_no_board_holds_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="more than 67,108,864 values"):
        read_graph(relu(shape))
    with pytest.raises(ModelError, match="has 9 axes; at most 8"):
        read_graph(relu((1,) * 9))


def test_tensors_count_together() -> None:
    """Each of them is small enough, and they may all hold the one constant of a small file."""
    b = TfliteBuilder()
    x = b.input((1, 64 << 20), 0.1)
    for _ in range(10):
        y = b.activation((1, 64 << 20), 0.1)
        b.op("RELU", [x], [y])
        x = y
    with pytest.raises(ModelError, match=r"tensor 7 .*more than 536,870,912 bytes"):
        read_graph(b.build([x]))


def test_more_than_a_network_has_is_refused() -> None:
    b = TfliteBuilder()
    x = b.input((1, 4), 0.1)
    for _ in range(20_001):
        y = b.activation((1, 4), 0.1)
        b.op("RELU", [x], [y])
        x = y
    with pytest.raises(ModelError, match="a list of 20,001 tables; at most 20,000"):
        read_graph(b.build([x]))


def test_a_device_is_refused() -> None:
    with pytest.raises(ModelError, match="/dev/zero: cannot be read: is a device, expected a file"):
        Network.load(Path("/dev/zero"))


def test_inputs_are_not_made_for_a_board_without_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "wide.tflite"
    path.write_bytes(relu((1, 60 << 20)))
    monkeypatch.setattr("edgesparse.commands.firmware._random_inputs", pytest.fail)
    with pytest.raises(DoesNotFitError, match=r"8 test input\(s\) alone take 503,316,480 bytes"):
        firmware(path, out=tmp_path / "out")


def use(data: bytes) -> None:
    """What the pipeline does with a file up to the C code."""
    graph = read_graph(data)
    analyse(graph)
    plan_memory(graph, lower(graph, CORE))


def test_what_no_kernel_reads_or_writes_is_refused() -> None:
    b = TfliteBuilder()
    x, y, constant = b.input((1, 4), 0.1), b.activation((1, 4), 0.1), b.constant(np.zeros((1, 4), np.int8), [0.1])
    b.op("RELU", [x], [y])
    with pytest.raises(ModelError, match="the output is tensor 't2', a constant"):
        read_graph(b.build([constant]))
    for inputs in ([], [-1]):
        b = TfliteBuilder()
        b.input((1, 4), 0.1)
        y = b.activation((1, 4), 0.1)
        b.op("RELU", inputs, [y])
        with pytest.raises(ModelError, match="has no first input"):
            read_graph(b.build([y]))


def test_weights_without_their_axes_are_refused_by_whoever_counts_them() -> None:
    for kind, shape in (("CONV_2D", (8, 4)), ("DEPTHWISE_CONV_2D", (4,)), ("FULLY_CONNECTED", (4,))):
        b = TfliteBuilder()
        x, y = b.input((1, 4), 0.1), b.activation((1, 4), 0.1)
        options = {} if kind == "FULLY_CONNECTED" else {
            "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1,
        }  # fmt: skip
        b.op(kind, [x, b.constant(np.ones(shape, np.int8), [0.1])], [y], **options)
        with pytest.raises(ModelError, match="axes; damaged file"):
            analyse(read_graph(b.build([y])))


def test_a_truncated_file_is_refused() -> None:
    data = conv_network()
    for length in range(0, len(data) - 4, 37):
        with pytest.raises(ModelError):
            read_graph(data[:length])


@pytest.mark.parametrize("seed", range(8))
def test_damaged_bytes_raise_only_our_errors(seed: int) -> None:
    """Random bytes, and offsets replaced by extreme ones: our error, or a file that is still a network."""
    rng = np.random.default_rng(seed)
    original = conv_network()
    refused = 0
    for _ in range(60):
        data = bytearray(original)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(data) - 4))
            if rng.random() < 0.5:
                data[at] = int(rng.integers(0, 256))
            else:
                value = int(rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
                data[at & ~3 : (at & ~3) + 4] = struct.pack("<I", value)
        try:
            use(bytes(data))
        except EdgesparseError:
            refused += 1
    assert refused > 0
