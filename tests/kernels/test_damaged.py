"""Damaged files are refused in one line, whatever byte is wrong: no crash, no kernel that writes past its output."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesparse.analysis import analyse
from edgesparse.boards import CORES, Core
from edgesparse.errors import EdgesparseError, InputError, ModelError
from edgesparse.firmware.describe import describe
from edgesparse.graph import Graph
from edgesparse.lowering import lower
from edgesparse.lowering.arena import plan_memory
from edgesparse.lowering.model import PackedModel
from edgesparse.tflite import read_graph
from edgesparse.tflm.custom_ops import encode_call
from tests.conftest import skip_or_fail
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import CORES_UNDER_TEST, Case, run_cases
from tests.support.mutants import mutant
from tests.support.reference import tflm_output
from tests.support.tflite_builder import TfliteBuilder

CORE = CORES["cortex-m4"]
MUTANTS, FEW_MUTANTS = 80, 16
SLOW = [name for name in NETWORKS if "constant" in name or name in ("normalization", "prelu")]
"""Their tables take most of the time."""
RUN_OF_EACH = 5
LARGEST_BYTES = 1 << 20
FILES = 3
DAMAGES = 25
BYTES = (0, 1, 127, 128, 255)
OPTIONS = {
    "MAX_POOL_2D": {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1},
    "SOFTMAX": {"beta": 1.0},
    "CONCATENATION": {"axis": 1},
    "DEPTHWISE_CONV_2D": {
        "strideH": 1,
        "strideW": 1,
        "depthMultiplier": 1,
        "dilationHFactor": 1,
        "dilationWFactor": 1,
    },
}
OTHER_OPTIONS: dict[str, dict[str, int]] = {
    "_few_channels": {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2},
    "_concatenated_rows": {"axis": 2},
    "_concatenation_axis": {"axis": 7},
    "_wide_dilation": {"dilationHFactor": 65535},
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


def _few_channels(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return [b.input((1, 4, 4, 8), 0.1)], b.activation((1, 2, 2, 2), 0.1), "MAX_POOL_2D"


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


def _resize_constant(b: TfliteBuilder) -> tuple[list[int], int, str]:
    size = b.constant(np.array([4, 6], np.int32))
    return [b.input((1, 2, 2, 3), 0.1), size], b.activation((1, 4, 4, 3), 0.1), "RESIZE_NEAREST_NEIGHBOR"


def _concatenation(b: TfliteBuilder, shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[list[int], int, str]:
    x = b.input(shape, 0.1)
    return [x, x], b.activation(out, 0.1), "CONCATENATION"


def _scalar_concatenation(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _concatenation(b, (1, 3), ())


def _flat_concatenation(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _concatenation(b, (1, 3), (6,))


def _concatenated_rows(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _concatenation(b, (1, 1, 3), (1, 2, 6))


def _concatenation_axis(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _concatenation(b, (1, 3), (1, 6))


def _transposed_softmax(b: TfliteBuilder) -> tuple[list[int], int, str]:
    rows = b.activation((8, 3), 0.1)
    b.op("RESHAPE", [b.input((1, 24), 0.1), b.constant(np.array([8, 3], np.int32))], [rows])
    return [rows], b.activation((3, 8), 1 / 256, -128), "SOFTMAX"


def _depthwise(b: TfliteBuilder, filters: int) -> tuple[list[int], int, str]:
    weights = b.constant(np.ones((1, 1, 1, filters), np.int8), [0.1], 3)
    return [b.input((1, 2, 2, 2), 0.1), weights], b.activation((1, 2, 2, filters), 0.1), "DEPTHWISE_CONV_2D"


def _depth_multiplier(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _depthwise(b, 4)


def _wide_dilation(b: TfliteBuilder) -> tuple[list[int], int, str]:
    return _depthwise(b, 2)


def _flat_weights(b: TfliteBuilder) -> tuple[list[int], int, str]:
    weights = b.constant(np.ones(8, np.int8), [0.1])
    bias = b.constant(np.zeros(1, np.int32))
    return [b.input((1, 8), 0.1), weights, bias], b.activation((1, 1), 0.1), "FULLY_CONNECTED"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_lookup, r"output of shape \(1, 2, 2, 4\), expected \(1, 2, 2, 3\) from \(1, 2, 2, 3\)"),
        (_softmax, r"output of shape \(1, 9\), expected \(1, 8\)"),
        (_scalar_softmax, r"output of shape \(1, 2\), expected \(\)"),
        (_dequantize, r"output of shape \(1, 9\), expected \(1, 8\)"),
        (_pool, r"shape \(1, 8\) of 't0'; expected four axes"),
        (_few_channels, r"output of shape \(1, 2, 2, 2\), expected \(1, 2, 2, 8\) from \(1, 4, 4, 8\)"),
        (_axis, r"axes \[7\] of a tensor of 4 axes"),
        (_float_axis, "input 1 is float32, expected int32"),
        (_small_mean, r"output of shape \(1, 1\), expected \(1, 3\)"),
        (_pad, r"output of shape \(1, 8, 1\), expected \(1, 8\)"),
        (_resize, r"output of shape \(1, 4, 4, 2\), expected \(1, 4, 4, 3\)"),
        (_resize_constant, r"output of shape \(1, 4, 4, 3\), expected \(1, 4, 6, 3\)"),
        (_scalar_concatenation, r"output of shape \(\), expected \(1, 6\)"),
        (_flat_concatenation, r"output of shape \(6,\), expected \(1, 6\)"),
        (_concatenated_rows, r"output of shape \(1, 2, 6\), expected \(1, 1, 6\)"),
        (_concatenation_axis, "axis 7 of tensors of 2 axes"),
        (_transposed_softmax, r"output of shape \(3, 8\), expected \(8, 3\)"),
        (_depth_multiplier, r"filters \(1, 1, 1, 4\), expected 2 \* 1 in one group"),
        (_wide_dilation, "dilation 65535.*TFLite Micro takes at most 32767"),
        (_flat_weights, r"weights \(8,\); expected two axes"),
    ],
)
def test_shapes_that_contradict_each_other_are_refused(
    make: Callable[[TfliteBuilder], tuple[list[int], int, str]], message: str
) -> None:
    b = TfliteBuilder()
    inputs, output, kind = make(b)
    b.op(kind, inputs, [output], **(OPTIONS.get(kind, {}) | OTHER_OPTIONS.get(make.__name__, {})))
    output = _of_one_batch(b, output)
    graph = read_graph(b.build([output]))
    with pytest.raises(ModelError, match=message) as caught:
        lower(graph, CORE)
    assert caught.value.exit_code == 2
    assert kind in str(caught.value)


def _of_one_batch(b: TfliteBuilder, tensor: int) -> int:
    """The reader wants a batch of 1 at the end."""
    flat = b.activation((1, b.elements(tensor)), 0.1)
    b.op("RESHAPE", [tensor, b.constant(np.array([1, b.elements(tensor)], np.int32))], [flat])
    return flat


def test_networks_with_one_thing_wrong_are_refused_or_run_as_the_reference_does(tmp_path: Path) -> None:
    """Whatever is accepted runs in its own buffers, and gives the reference's bytes."""
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    accepted: list[tuple[str, bytes, NDArray[np.generic], Case]] = []
    cores = tuple(CORES_UNDER_TEST.values())
    refused = 0
    for kind, make in NETWORKS.items():
        run = 0
        for seed in range(FEW_MUTANTS if kind in SLOW else MUTANTS):
            rng = np.random.default_rng([seed, 1])
            data = mutant(make(rng)[0], rng)
            try:
                graph, packed = _used(data, cores[seed % len(cores)])
            except InputError as error:
                refused += "\n" not in str(error)
                continue
            if run < RUN_OF_EACH and sum(tensor.nbytes for tensor in graph.tensors) < LARGEST_BYTES:
                run += 1
                x = _inputs(graph, rng)
                accepted.append((f"{kind}, seed {seed}", data, x, Case(graph, packed, x.tobytes())))
    assert refused > MUTANTS * len(NETWORKS) // 5
    results = run_cases(tmp_path, [case for *_, case in accepted])
    for (name, data, x, case), result in zip(accepted, results, strict=True):
        output = case.packed.aliases.get(case.graph.outputs[0], case.graph.outputs[0])
        actual = result[output].tobytes() if output in result else x.tobytes()
        assert actual == tflm_output(data, [x]).tobytes(), name


def _used(data: bytes, core: Core) -> tuple[Graph, PackedModel]:
    """What the pipeline does with a file up to the C code, on both runtimes."""
    graph = read_graph(data)
    analyse(graph)
    packed = lower(graph, core)
    ends = [graph.tensors[index] for index in (graph.inputs[0], graph.outputs[0])]
    vectors, expected = (np.zeros((1, *tensor.shape), tensor.dtype) for tensor in ends)
    describe(graph, packed, plan_memory(graph, packed), vectors, expected, name="net", tool="", source_sha256="")
    for call in packed.calls:
        if call.struct in ("es_conv_2d", "es_fully_connected"):
            encode_call(call)
    return graph, packed


def _inputs(graph: Graph, rng: np.random.Generator) -> NDArray[np.generic]:
    tensor = graph.tensors[graph.inputs[0]]
    values = rng.integers(-128, 128, tensor.shape).astype(tensor.dtype)
    output = graph.tensors[graph.outputs[0]].quantization
    if tensor.dtype == np.float32 and output is not None:  # the reference casts quotients to int32, whatever they are
        values = (values * np.float32(min(1.0, 2.0**20 * output.scale))).astype(np.float32)
    return values
