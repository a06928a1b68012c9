"""Slimming: what goes, what stays, and that every interpreter gives the same outputs."""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.errors import ModelError
from edgesparse.graph import Graph
from edgesparse.oracle import reference_outputs
from edgesparse.tflite import objects, read_graph, slim
from tests.conftest import skip_or_fail
from tests.support import interpreters
from tests.support.small_networks import conv_network

LIMITS = {"ad01_int8.tflite": 275_500, "pretrainedResnet_quant.tflite": 88_000, "kws_ref_model.tflite": 34_000}
"""Bytes that a slimmed file may have."""


def named_network() -> bytes:
    """conv_network with all that a converter leaves in a file, and some that it does not."""
    schema = objects.generated()
    model = objects.parse(conv_network())
    (subgraph,) = model.subgraphs
    for index, tensor in enumerate(subgraph.tensors):
        tensor.name = f"net/layer_{index}/BiasAdd"
        tensor.hasRank = True
        if tensor.quantization is not None:
            tensor.quantization.min, tensor.quantization.max = [-1.5], [2.5]
    subgraph.tensors[0].shapeSignature = [-1, 8, 8, 4]
    unused = schema.BufferT(data=np.full(100, 77, np.uint8))
    text = schema.BufferT(data=np.frombuffer(b"1.5.0", np.uint8))
    plan = schema.BufferT(data=np.frombuffer(b"offline", np.uint8))
    twin = schema.BufferT(data=np.array(model.buffers[subgraph.tensors[subgraph.operators[0].inputs[2]].buffer].data))
    model.buffers += [unused, text, plan, twin, schema.BufferT()]
    bias = subgraph.tensors[subgraph.operators[0].inputs[2]]
    bias.buffer = len(model.buffers) - 2
    subgraph.tensors[1].buffer = len(model.buffers) - 1
    model.metadata = [
        schema.MetadataT(name="min_runtime_version", buffer=len(model.buffers) - 4),
        schema.MetadataT(name="OfflineMemoryAllocation", buffer=len(model.buffers) - 3),
    ]
    model.operatorCodes.insert(0, schema.OperatorCodeT(builtinCode=9, deprecatedBuiltinCode=9))
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=3, deprecatedBuiltinCode=3, version=1))
    for operator in subgraph.operators:
        operator.opcodeIndex += 1
    subgraph.operators[1].opcodeIndex = len(model.operatorCodes) - 1
    model.signatureDefs = [
        schema.SignatureDefT(signatureKey="serving_default", inputs=[schema.TensorMapT(name="x", tensorIndex=0)])
    ]
    return objects.pack(model)


def without_names(graph: Graph) -> list[Any]:
    tensors = [
        (t.shape, t.dtype, None if t.data is None else t.data.tobytes())
        + (() if t.quantization is None else (t.quant.scales.tobytes(), t.quant.zero_points.tobytes(), t.quant.axis))
        for t in graph.tensors
    ]
    return [tensors, [replace(op, name="") for op in graph.ops], graph.inputs, graph.outputs]


def test_the_network_is_the_same_without_names() -> None:
    data = named_network()
    slimmed = slim(data)
    assert without_names(read_graph(slimmed)) == without_names(read_graph(data))
    for text in (b"BiasAdd", b"serving_default", b"main", b"test", b"min_runtime_version", b"1.5.0", bytes([77] * 9)):
        assert text in data, text
        assert text not in slimmed, text
    assert struct.pack("<f", 2.5) not in slimmed, "calibration ranges"
    assert slim(slimmed) == slimmed


def test_what_interpreters_read_stays() -> None:
    model = objects.parse(slim(named_network()))
    assert [entry.name for entry in model.metadata] == [b"OfflineMemoryAllocation"]
    assert bytes(model.buffers[model.metadata[0].buffer].data) == b"offline"
    (subgraph,) = model.subgraphs
    assert all(tensor.hasRank for tensor in subgraph.tensors)
    assert list(subgraph.tensors[0].shapeSignature) == [-1, 8, 8, 4]


def test_buffers_and_operator_codes_are_kept_once_and_only_if_used() -> None:
    original, model = objects.parse(named_network()), objects.parse(slim(named_network()))
    assert model.buffers[0].data is None, "buffer 0 means no data"
    contents = [bytes(buffer.data) for buffer in model.buffers[1:]]
    assert len(set(contents)) == len(contents) < len(original.buffers) - 1
    assert sorted(code.builtinCode for code in model.operatorCodes) == [3, 9, 22, 25]
    assert model.subgraphs[0].tensors[1].buffer == 0, "an empty buffer is no data"


def test_keep_metadata_keeps_what_people_read() -> None:
    data = named_network()
    kept = slim(data, keep_metadata=True)
    assert len(slim(data)) < len(kept) < len(data)
    for text in (b"net/layer_3/BiasAdd", b"serving_default", b"main", b"test", b"min_runtime_version", b"1.5.0"):
        assert text in kept, text
    assert struct.pack("<f", 2.5) in kept
    assert [op.name for op in read_graph(kept).ops] == [op.name for op in read_graph(data).ops]


def test_constants_behind_the_flatbuffer_move_into_it() -> None:
    model = objects.parse(conv_network())
    moved = bytes(model.buffers[1].data)
    model.buffers[1].data, model.buffers[1].size = None, len(moved)
    model.buffers[1].offset = 2
    head = len(objects.pack(model))
    model.buffers[1].offset = head
    behind = objects.pack(model) + moved
    assert without_names(read_graph(behind)) == without_names(read_graph(conv_network()))
    assert slim(behind) == slim(conv_network())
    with pytest.raises(ModelError, match="past the end"):
        slim(behind[:-1])


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_raise_only_model_errors(seed: int) -> None:
    """Random bytes among the tables, and extreme offsets: a ModelError, or a file that still parses."""
    rng = np.random.default_rng(seed)
    original = slim(named_network(), keep_metadata=True)
    tables = original.index(objects.parse(original).buffers[1].data.tobytes()) if seed % 2 else len(original)
    refused = 0
    for _ in range(150):
        data = bytearray(original)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, min(tables, 2000) - 4))
            if rng.random() < 0.5:
                data[at] = int(rng.integers(0, 256))
            else:
                value = int(rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
                data[at & ~3 : (at & ~3) + 4] = struct.pack("<I", value)
        try:
            slim(bytes(data))
        except ModelError:
            refused += 1
    assert refused > 0
    for length in range(0, len(original) - 20, 97):
        try:
            slim(original[:length])
        except ModelError:
            refused += 1


def random_inputs(data: bytes) -> np.ndarray:
    graph = read_graph(data)
    shape = graph.tensors[graph.inputs[0]].shape
    return np.random.default_rng(1).integers(-128, 128, (5, *shape), dtype=np.int8)


@pytest.mark.parametrize("name", LIMITS)
def test_published_models_are_small_and_give_the_same_outputs(models: Path, name: str) -> None:
    data = (models / name).read_bytes()
    slimmed = slim(data)
    assert len(slimmed) <= LIMITS[name]
    before, after = (reference_outputs(model, random_inputs(data)[:, 0]) for model in (data, slimmed))
    assert before.reference.startswith("tflite-micro")
    assert np.array_equal(before.outputs, after.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", interpreters.MODULES)
@pytest.mark.parametrize("name", LIMITS)
def test_published_models_give_the_same_outputs_on_every_runtime(models: Path, name: str, runtime: str) -> None:
    module = interpreters.MODULES[runtime].split(".")[0]
    if importlib.util.find_spec(module) is None:
        skip_or_fail(f"{runtime} is not installed")
    data = (models / name).read_bytes()
    files = [data, slim(data), slim(data, keep_metadata=True)]
    for resolver, outputs in zip(
        interpreters.RESOLVERS, interpreters.run(runtime, files, random_inputs(data)), strict=True
    ):
        assert np.array_equal(outputs[1], outputs[0]), resolver
        assert np.array_equal(outputs[2], outputs[0]), resolver
