"""TFLM_DECODE: its bytes as FORMAT.md gives them, which weights are behind it, and TFLite Micro's outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesparse.network import Network
from edgesparse.oracle import decoded_weights, run_tflite_micro
from edgesparse.tflite import objects, read_graph, slim
from edgesparse.tflm.decode import huffman as decode_huffman
from edgesparse.tflm.decode import lut as decode_lut
from edgesparse.tflm.decode.arena import Lifetime, lifetimes, planned_bytes
from edgesparse.tflm.decode.encoding import Encoded
from edgesparse.tflm.decode.ops import insert_decodes
from edgesparse.tflm.decode.plan import _choose, plan_decodes
from edgesparse.tflm.decode.pruning import encode, expand
from edgesparse.tflm.stock import stock_model
from tests.support import tflm_allocations
from tests.support.small_networks import conv_network
from tests.support.tflite_builder import PADDING_SAME, TfliteBuilder

LIMITS = {"ad01_int8.tflite": 0.45, "pretrainedResnet_quant.tflite": 0.55, "kws_ref_model.tflite": 0.72}
"""Bytes of the encoded file / bytes of the dense one, at 80 % zeros."""


def test_the_bytes_are_those_of_format_md() -> None:
    weights = np.array([[0, 0, 0, 0, 5, 0, 0, -1], [0, 0, 0, 9, 0, 0, 7, 0], [3, 0, 0, 0, 0, 0, 0, 0]], np.int8)
    encoded = encode(weights, np.zeros((1, 1), np.int32))
    assert list(encoded.codes) == [0b00001001, 0b00010010, 0b10000000]
    assert list(encoded.ancillary) == [2, 1, 0, 0, 1, *[0] * 11, 5, 255, 9, 7, 3]
    assert encoded.nbytes == 24
    assert encoded.instructions == 24 * 17


def test_the_last_byte_of_the_bitmap_is_filled_with_zeros() -> None:
    encoded = encode(np.array([0, 1, 2], np.int8), np.zeros(1, np.int32))
    assert list(encoded.codes) == [0b01100000]


def test_what_is_left_out_is_the_zero_point_of_the_channel() -> None:
    weights = np.array([[4, 0], [4, 7]], np.int8)
    by_row, by_column = np.array([[4], [7]], np.int32), np.array([[4, 7]], np.int32)
    assert (list(encode(weights, by_row).codes), list(encode(weights, by_row).ancillary[16:])) == (
        [0b01100000],
        [0, 4],
    )
    assert (list(encode(weights, by_column).codes), list(encode(weights, by_column).ancillary[16:])) == (
        [0b01000000],
        [0],
    )


@given(st.data())
def test_expanding_undoes_encoding(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    axis = data.draw(st.sampled_from([0, len(shape) - 1]))
    along = [1] * len(shape)
    along[axis] = data.draw(st.sampled_from([1, shape[axis]]))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    zero_points = rng.integers(-128, 128, along, dtype=np.int32)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    weights = np.where(rng.random(shape) < 0.7, zero_points, weights).astype(np.int8)
    assert np.array_equal(expand(encode(weights, zero_points), zero_points, shape), weights)


EXAMPLE = np.array([0, 5, -1, 0, 0, 5, 0, 0], np.int8)


def test_the_bytes_of_a_lookup_table_are_those_of_format_md() -> None:
    encoded = decode_lut.encode(EXAMPLE, last_axis=False)
    assert encoded is not None
    assert list(encoded.codes) == [0b01100001, 0b01100101]
    assert list(encoded.ancillary) == [0, 1, 0, 0, 1, 2, *[0] * 10, 255, 0, 5]
    assert encoded.instructions == 8 * 7


def test_the_bytes_of_huffman_codes_are_those_of_format_md() -> None:
    encoded = decode_huffman.encode(EXAMPLE)
    assert encoded is not None
    assert list(encoded.codes) == [0b01110001, 0b10000000, 0, 0]
    assert list(encoded.ancillary[:16]) == [1, 1, 0, 0, 1, 16, *[0] * 10]
    assert np.frombuffer(encoded.ancillary, "<u2", offset=16).tolist() == [0x8800, 0x8800, 0x90FF, 0x9005]
    assert encoded.instructions == 8 * 27


@pytest.mark.parametrize("values", [1, 2, 3, 4, 5, 16, 17, 100, 128, 129, 256])
@pytest.mark.parametrize("zeros", [0.0, 0.8])
def test_expanding_undoes_the_codes_of_any_number_of_values(values: int, zeros: float) -> None:
    rng = np.random.default_rng(values)
    weights = rng.choice(np.arange(-128, 128), values, replace=False)[rng.integers(0, values, 3001)]
    weights = np.where(rng.random(3001) < zeros, weights[0], weights).astype(np.int8)
    weights[:values] = np.unique(weights)[np.arange(values) % len(np.unique(weights))]
    lut, huffman = decode_lut.encode(weights, last_axis=False), decode_huffman.encode(weights)
    distinct = len(np.unique(weights))
    assert (lut is None, huffman is None) == (distinct > 128, distinct == 1)
    if lut is not None:
        assert np.array_equal(decode_lut.expand(lut, weights.shape), weights)
        assert len(lut.codes) == -(-3001 * max(1, (distinct - 1).bit_length()) // 8)
    if huffman is not None:
        assert np.array_equal(decode_huffman.expand(huffman, weights.shape), weights)
        shares = np.unique(weights, return_counts=True)[1] / 3001
        entropy = -float(np.sum(shares * np.log2(shares)))
        assert entropy <= 8 * len(huffman.codes) / 3001 <= entropy + 1.1
        assert len(huffman.ancillary) <= 16 + 2 * 2 * distinct


def test_codes_that_are_very_long_have_many_tables() -> None:
    """Fibonacci's numbers as frequencies give the longest codes that there are."""
    counts = [1, 1]
    while len(counts) < 20:
        counts.append(counts[-1] + counts[-2])
    weights = np.repeat(np.arange(20, dtype=np.int8), counts)
    encoded = decode_huffman.encode(weights)
    assert encoded is not None
    assert np.array_equal(decode_huffman.expand(encoded, weights.shape), weights)
    assert len(encoded.ancillary) <= 16 + 2 * 2 * 20
    assert encoded.instructions > 27 * weights.size


def few_values(shape: tuple[int, ...], values: int, zeros: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(7)
    weights = rng.integers(-(values // 2), values - values // 2, shape)
    return np.where(rng.random(shape) < zeros, 0, weights).astype(np.int8)


def clustered(zeros: float) -> bytes:
    """16 distinct weights per layer; channels of CONV_2D end at any bit of the codes."""
    scales = np.random.default_rng(7).uniform(0.02, 0.1, 19)
    net = TfliteBuilder()
    x = net.input((1, 6, 6, 16), 0.05, 3)
    a, b = net.activation((1, 6, 6, 19), 0.3, -5), net.activation((1, 6, 6, 19), 0.9, 4)
    flat, out = net.activation((1, 684), 0.9, 4), net.activation((1, 12), 4.0, 4)
    conv = net.constant(few_values((19, 3, 3, 15), 16, zeros), scales)
    depthwise = net.constant(few_values((1, 9, 9, 19), 16, zeros), scales, axis=3)
    dense = net.constant(few_values((12, 684), 16, zeros), [0.04])
    geometry = {"padding": PADDING_SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    x15 = net.activation((1, 6, 6, 15), 0.05, 3)
    net.op("CONV_2D", [x, net.constant(few_values((15, 1, 1, 16), 200), [0.001]), -1], [x15], **geometry)
    net.op("CONV_2D", [x15, conv, net.constant(np.arange(19, dtype=np.int32))], [a], **geometry)
    bias = net.constant(np.arange(19, dtype=np.int32))
    net.op("DEPTHWISE_CONV_2D", [a, depthwise, bias], [b], depthMultiplier=1, **geometry)
    net.op("RESHAPE", [b, net.constant(np.array([1, 684], np.int32))], [flat])
    net.op("FULLY_CONNECTED", [flat, dense, net.constant(np.arange(12, dtype=np.int32))], [out])
    return slim(net.build([out]))


def all_widths() -> bytes:
    """FULLY_CONNECTED layers whose weights take 1, 2, ... 7 bits."""
    net = TfliteBuilder()
    x = net.input((1, 120), 0.05, 3)
    for values in (2, 4, 7, 16, 25, 60, 100):
        y = net.activation((1, 120), 0.5, 1)
        net.op("FULLY_CONNECTED", [x, net.constant(few_values((120, 120), values), [0.3 / values]), -1], [y])
        x = y
    return slim(net.build([x]))


@pytest.mark.parametrize(
    ("data", "kinds", "bits"),
    [
        (clustered(0.0), ["lut"] * 3, [4] * 3),
        (clustered(0.75), ["huffman"] * 3, [2] * 3),
        (all_widths(), ["lut"] * 7, [1, 2, 3, 4, 5, 6, 7]),
    ],
    ids=["clustered", "clustered and pruned", "all widths"],
)
def test_few_distinct_weights_take_few_bits_and_tflite_micro_gives_the_same_outputs(
    data: bytes, kinds: list[str], bits: list[int]
) -> None:
    network = Network.read(data)
    stock = stock_model(network, random_inputs(network.data), max_arena=None)
    encoded = [layer for layer in stock.layers if "unavailable" not in layer]
    assert [layer["kind"] for layer in encoded] == kinds
    for layer, width in zip(encoded, bits, strict=True):
        assert layer["encoded_bytes"] <= layer["dense_bytes"] * width / 8 + 16 + 128
    assert stock.report["bit_exact"]["ok"]
    assert not stock.warnings


def test_huffman_codes_must_be_much_smaller() -> None:
    rng = np.random.default_rng(0)
    zero = np.zeros((1, 1), np.int32)
    for spread, kind in ((3.0, "huffman"), (40.0, "pruning")):
        weights = np.clip(np.rint(rng.standard_normal((64, 64)) * spread), -127, 127).astype(np.int8)
        assert _choose(weights, zero, last_axis=False).kind == kind


def with_zero_points(model: bytes, zero_points: dict[int, list[int]]) -> bytes:
    tree = objects.parse(model)
    for tensor, values in zero_points.items():
        tree.subgraphs[0].tensors[tensor].quantization.zeroPoint = values
    return objects.pack(tree)


def three_layers() -> bytes:
    """CONV_2D per channel on axis 0, DEPTHWISE_CONV_2D per channel on the last axis, FULLY_CONNECTED per tensor.

    All weights have zero points that are not 0, and most of them lie there.
    """
    rng = np.random.default_rng(5)

    def sparse(shape: tuple[int, ...], zero_points: np.ndarray) -> np.ndarray:
        return np.where(rng.random(shape) < 0.2, rng.integers(-128, 128, shape), zero_points).astype(np.int8)

    channels = np.arange(-4, 12)
    net = TfliteBuilder()
    x = net.input((1, 6, 6, 16), 0.05, 3)
    a, b = net.activation((1, 6, 6, 16), 0.3, -5), net.activation((1, 6, 6, 16), 0.9, 4)
    flat, out = net.activation((1, 576), 0.9, 4), net.activation((1, 12), 4.0, 4)
    conv = net.constant(sparse((16, 3, 3, 16), channels.reshape(16, 1, 1, 1)), rng.uniform(0.002, 0.01, 16))
    depthwise = net.constant(sparse((1, 9, 9, 16), channels), rng.uniform(0.002, 0.01, 16), axis=3)
    dense = net.constant(sparse((12, 576), np.array(-7)), [0.004])
    geometry = {"padding": PADDING_SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    net.op("CONV_2D", [x, conv, net.constant(np.arange(16, dtype=np.int32))], [a], **geometry)
    bias = net.constant(np.arange(16, dtype=np.int32))
    net.op("DEPTHWISE_CONV_2D", [a, depthwise, bias], [b], depthMultiplier=1, **geometry)
    net.op("RESHAPE", [b, net.constant(np.array([1, 576], np.int32))], [flat])
    net.op("FULLY_CONNECTED", [flat, dense, net.constant(np.arange(12, dtype=np.int32))], [out])
    points = {conv: channels.tolist(), depthwise: channels.tolist(), dense: [-7]}
    return with_zero_points(net.build([out]), points)


def shared_weights() -> bytes:
    """Two FULLY_CONNECTED layers with the same weights."""
    rng = np.random.default_rng(6)
    net = TfliteBuilder()
    x = net.input((1, 64), 0.05, 3)
    a, b = net.activation((1, 64), 0.3, -5), net.activation((1, 64), 0.9, 4)
    weights = net.constant((rng.integers(-127, 128, (64, 64)) * (rng.random((64, 64)) < 0.2)).astype(np.int8), [0.02])
    for into, out in ((x, a), (a, b)):
        net.op("FULLY_CONNECTED", [into, weights, net.constant(np.arange(64, dtype=np.int32))], [out])
    return net.build([b])


def random_inputs(data: bytes, count: int = 4) -> np.ndarray:
    graph = read_graph(data)
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(3).integers(-128, 128, (count, *shape[1:])).astype(np.int8)


def assert_equal_on_tflite_micro(first: bytes, second: bytes) -> None:
    expected, got = (run_tflite_micro(model, random_inputs(first)) for model in (first, second))
    assert not isinstance(expected, str), expected
    assert not isinstance(got, str), got
    assert np.array_equal(got.outputs, expected.outputs)
    assert len(np.unique(expected.outputs)) > 3, "outputs that say something"


@pytest.mark.parametrize("build", [conv_network, three_layers, shared_weights])
def test_tflite_micro_gives_the_outputs_of_the_dense_file(build: Callable[[], bytes]) -> None:
    data = build()
    graph = read_graph(data)
    plan = plan_decodes(data, graph)
    assert len(plan.layers) >= 2
    assert len(plan.data) < len(data)
    kinds = [op.kind for op in read_graph(plan.data).ops]
    assert kinds.count("CUSTOM:TFLM_DECODE") == len(plan.layers)
    assert_equal_on_tflite_micro(data, plan.data)
    weights = [graph.input(graph.ops[op], 1).data for op in sorted(plan.layers)]
    expanded = decoded_weights(plan.data, random_inputs(data)[0])
    assert np.array_equal(expanded, np.concatenate([part.ravel() for part in weights if part is not None]))


def test_a_decode_stands_before_each_op_that_reads_the_weights() -> None:
    graph = read_graph(plan_decodes(shared_weights(), read_graph(shared_weights())).data)
    decode, first, again, second = graph.ops
    assert [op.kind for op in graph.ops] == ["CUSTOM:TFLM_DECODE", "FULLY_CONNECTED"] * 2
    assert (decode.outputs[0], again.outputs[0]) == (first.inputs[1], second.inputs[1])
    assert decode.inputs == again.inputs, "stored once"


def test_per_axis_0_last_and_per_tensor_are_encoded_with_their_zero_points() -> None:
    graph = read_graph(three_layers())
    plan = plan_decodes(three_layers(), graph)
    assert sorted(plan.layers) == [0, 1, 3]
    for op, layer in plan.layers.items():
        weights = graph.input(graph.ops[op], 1)
        assert layer.dense_bytes == weights.elements == layer.arena_bytes
        assert layer.instructions == 17 * weights.elements
        assert layer.encoded_bytes < 0.4 * layer.dense_bytes


def test_weights_with_few_zeros_stay_dense_and_the_reason_is_given() -> None:
    network = Network.read(conv_network(density=0.95))
    plan = plan_decodes(network.data, network.graph)
    assert plan.data == network.data
    assert not plan.layers
    assert "dense storage 10,240" in plan.dense[3]
    stock = stock_model(network, random_inputs(network.data), max_arena=None)
    assert stock.data == network.data
    assert "equals model.int8.tflite" in stock.report["bit_exact"]["unavailable"]
    assert stock.layers[2] == {"unavailable": "no weights"}


def test_an_encoding_that_saves_less_than_its_op_takes_is_left_out() -> None:
    net = TfliteBuilder()
    x, a = net.input((1, 8)), net.activation((1, 8))
    net.op("FULLY_CONNECTED", [x, net.constant(np.eye(8, dtype=np.int8), [0.5]), -1], [a])
    data = slim(net.build([a]))
    encoded = encode(np.eye(8, dtype=np.int8), np.zeros(1, np.int32))
    assert encoded.nbytes == 8 + 16 + 8
    assert len(insert_decodes(data, {1: encode(np.eye(8, dtype=np.int8), np.zeros(1, np.int32))})) > len(data)
    plan = plan_decodes(data, read_graph(data))
    assert plan.data == data
    assert plan.dense == {0: "its encoding and one more op take as many bytes"}


def test_the_file_never_gets_larger_whatever_the_encodings_share() -> None:
    """Each of two small encodings may pay for itself, and both together not for the name of the op."""
    rng = np.random.default_rng(0)
    for kept in range(0, 208, 4):
        net = TfliteBuilder()
        x = net.input((1, 16))
        for _ in range(2):
            weights = np.zeros(256, np.int8)
            weights[rng.choice(256, kept, replace=False)] = rng.integers(1, 128, kept)
            y = net.activation((1, 16))
            net.op("FULLY_CONNECTED", [x, net.constant(weights.reshape(16, 16), [0.5]), -1], [y])
            x = y
        data = slim(net.build([x]))
        assert len(plan_decodes(data, read_graph(data)).data) <= len(data), kept


def test_a_limit_on_the_arena_leaves_the_costliest_weights_dense() -> None:
    data, graph = three_layers(), read_graph(three_layers())
    free = plan_decodes(data, graph)
    assert sorted(free.layers) == [0, 1, 3]
    sizes = []
    for limit in [*range(free.arena_bytes, free.dense_arena_bytes, -400), free.dense_arena_bytes]:
        plan = plan_decodes(data, graph, max_arena=limit)
        assert plan.arena_bytes <= limit
        assert all("no room" in plan.dense[op] for op in {0, 1, 3} - set(plan.layers))
        sizes.append((-len(plan.layers), len(plan.data)))
    assert sizes[0] == (-3, len(free.data))
    assert sizes[-1] == (0, len(data))
    assert sizes == sorted(sizes), "a smaller arena never takes a smaller file"


def test_a_limit_that_the_activations_exceed_is_a_warning() -> None:
    network = Network.read(conv_network())
    stock = stock_model(network, random_inputs(network.data), max_arena=100)
    assert stock.data == network.data
    assert "--tflm-max-arena 100 cannot be met" in stock.warnings[0]
    assert all("unavailable" in layer for layer in stock.layers)


def test_the_planner_takes_the_largest_first_at_the_lowest_place() -> None:
    #  steps   0  1  2
    #    b     32 32        0 to 32
    #    c        32 32     32 to 64, since b is alive in step 1
    #    a           16     0 to 16
    tensors = [Lifetime(16, 2, 2), Lifetime(32, 0, 1), Lifetime(20, 1, 2)]
    assert planned_bytes(tensors) == 64
    assert planned_bytes([]) == 0


@pytest.mark.parametrize("build", [conv_network, three_layers, shared_weights])
def test_the_planned_arena_is_that_of_tflite_micro(tmp_path: Path, build: Callable[[], bytes]) -> None:
    dense = build()
    plan = plan_decodes(dense, read_graph(dense))
    for data, bytes_planned in ((dense, plan.dense_arena_bytes), (plan.data, plan.arena_bytes)):
        path = tmp_path / "model.tflite"
        path.write_bytes(data)
        assert bytes_planned == planned_bytes(lifetimes(read_graph(data))) == tflm_allocations.planned_bytes(path)


def pruned(data: bytes, sparsity: float, block: int) -> bytes:
    """The weights of all CONV_2D and FULLY_CONNECTED with at least 4 input channels, pruned by magnitude."""
    graph, model = read_graph(data), objects.parse(data)
    for op in graph.ops:
        if op.kind not in ("CONV_2D", "FULLY_CONNECTED"):
            continue
        weights = graph.input(op, 1)
        if weights.data is None or weights.shape[-1] % 4:
            continue
        blocks = np.abs(weights.data.astype(np.int32)).reshape(-1, block).sum(axis=1)
        keep = blocks > np.quantile(blocks, sparsity)
        buffer = model.buffers[model.subgraphs[0].tensors[op.inputs[1]].buffer]
        buffer.data = (weights.data.reshape(-1, block) * keep[:, np.newaxis]).astype(np.int8).view(np.uint8).ravel()
    return objects.pack(model)


@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("name", LIMITS)
def test_published_models_pruned_to_80_percent(models: Path, name: str, block: int) -> None:
    data = pruned((models / name).read_bytes(), 0.8, block)
    network = Network.read(data).slimmed(keep_metadata=False)
    stock = stock_model(network, random_inputs(network.data, 2), max_arena=None)
    assert len(stock.data) <= LIMITS[name] * len(network.data)
    assert stock.report["bit_exact"]["ok"]
    assert not stock.warnings


@pytest.mark.parametrize("name", LIMITS)
def test_published_models_as_they_are(models: Path, name: str) -> None:
    network = Network.load(models / name, slimmed=True)
    stock = stock_model(network, random_inputs(network.data, 2), max_arena=None)
    assert len(stock.data) <= len(network.data)
    assert not stock.warnings
    assert stock.report["bit_exact"].get("ok", stock.data == network.data)


def test_weights_that_differ_give_the_dense_file_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(weights: np.ndarray, zero_points: np.ndarray) -> Encoded:
        return encode(np.where(weights == zero_points, weights, np.int8(1)), zero_points)

    monkeypatch.setattr("edgesparse.tflm.decode.pruning.encode", wrong)
    network = Network.read(conv_network())
    stock = stock_model(network, random_inputs(network.data), max_arena=None)
    assert stock.data == network.data
    assert "other weights" in stock.warnings[0]
    assert "other weights" in stock.layers[3]["unavailable"]
    assert stock.report["arena_bytes"] == stock.report["dense_arena_bytes"]


def test_a_file_that_tflite_micro_refuses_gives_the_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgesparse.tflm.decode.encoding._VERSION", 9)
    network = Network.read(conv_network())
    stock = stock_model(network, random_inputs(network.data), max_arena=None)
    assert stock.data == network.data
    assert "refuses the encoded model" in stock.warnings[0]
