"""Choices, refusals, aliases and scratch sizes of the lowering."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesparse.boards import Core, templates_folder
from edgesparse.errors import UnsupportedError
from edgesparse.firmware.render import kernel_source
from edgesparse.graph import Graph
from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import Policy
from edgesparse.lowering.choose_conv_2d import ConvPacked, choose_conv_2d
from edgesparse.lowering.choose_fully_connected import FcChoice, choose_fully_connected
from edgesparse.lowering.context import ChannelScales, Window
from edgesparse.lowering.conv_2d_patches import ConvImage
from edgesparse.lowering.formats.format import ConvFilters, FcLayer
from edgesparse.lowering.lower import LOWERINGS, lower
from edgesparse.settings import OPTIMIZE_NAMES
from edgesparse.tflite.read import read_graph
from edgesparse.variants import VARIANTS, function_name
from tests.kernels.networks import NETWORKS
from tests.support.host_kernels import CORES_UNDER_TEST, DSP, PORTABLE, Case, run_cases
from tests.support.reference import tflite_tensors
from tests.support.tflite_builder import TfliteBuilder

KERNELS = templates_folder() / "kernels"


def _sparse(rows: int, columns: int, sparsity: float, *, block: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 128, (rows, columns)).astype(np.int8)
    keep = np.zeros(rows * columns // block, np.bool_)
    keep[: round(len(keep) * (1 - sparsity))] = True
    rng.shuffle(keep)
    return weights * np.repeat(keep, block).reshape(rows, columns)


AXIS = Window(size=8, out=8, kernel=3, stride=1, dilation=1, pad=1)
IMAGE = ConvImage(AXIS, AXIS, 64)


def _choose_conv_2d(
    weights: np.ndarray, excluded: frozenset[str] = frozenset(), optimize: str = "latency"
) -> ConvPacked:
    small = np.zeros(len(weights), np.int32)
    return choose_conv_2d(ConvFilters(weights, small, small, DSP, IMAGE), Policy(excluded, optimize))


@pytest.mark.parametrize(
    ("sparsity", "block", "expected"),
    [
        (0.0, 1, "dense"),
        (0.3, 1, "dense"),
        (0.75, 4, "block1x4"),
        (0.75, 1, "delta4"),
        (0.98, 1, "delta8"),  # distances over 15 would take fillers
        (1.0, 4, "block1x4"),
    ],
)
def test_the_cheapest_format_that_is_no_larger_wins(sparsity: float, block: int, expected: str) -> None:
    choice = _choose_conv_2d(_sparse(64, 576, sparsity, block=block))
    assert choice.format == expected
    assert choice.reason.startswith(f"{expected}: ")


@pytest.mark.parametrize("optimize", OPTIMIZE_NAMES)
def test_a_sparse_choice_is_never_worse_than_dense(optimize: str) -> None:
    for seed, sparsity in enumerate(np.linspace(0, 1, 21)):
        for block in (1, 4):
            weights = _sparse(16, 64, float(sparsity), block=block, seed=seed)
            only_dense = Policy(frozenset({"block1x4", "block2x4", "delta8", "delta4", "bitmap", "columns"}))
            pairs: list[tuple[ConvPacked | FcChoice, ConvPacked | FcChoice]] = [
                (_choose_conv_2d(weights, optimize=optimize), _choose_conv_2d(weights, only_dense.excluded))
            ]
            for core in (DSP, PORTABLE):
                layer = _fc_layer(weights, core)
                choice = choose_fully_connected(layer, Policy(optimize=optimize))
                pairs.append((choice, choose_fully_connected(layer, only_dense)))
            for choice, dense in pairs:
                assert dense.format == "dense"
                if optimize == "latency":
                    assert choice.instructions <= dense.instructions
                else:
                    assert choice.nbytes <= dense.nbytes


@pytest.mark.parametrize("core", [DSP, PORTABLE], ids=("dsp", "portable"))
@pytest.mark.parametrize(
    ("sparsity", "block", "expected"),
    [(0.05, 1, "dense"), (0.6, 1, "bitmap"), (0.75, 1, "bitmap"), (0.8, 4, "block1x4")],
)
def test_under_flash_the_smallest_format_wins(core: Core, sparsity: float, block: int, expected: str) -> None:
    """A bitmap takes 1/8 byte a weight and 1 a weight that is kept."""
    weights = _sparse(64, 576, sparsity, block=block)
    small = np.zeros(len(weights), np.int32)
    policy = Policy(optimize="flash")
    conv = choose_conv_2d(ConvFilters(weights, small, small, core, IMAGE), policy)
    fc = choose_fully_connected(_fc_layer(weights, core), policy)
    assert conv.format == expected
    assert fc.format == ("block2x4" if fc.nbytes < conv.nbytes and block == 4 else expected)
    if expected == "bitmap":
        assert conv.nbytes == fc.nbytes == weights.size // 8 + np.count_nonzero(weights)


def _fc_layer(weights: NDArray[np.int8], core: Core) -> FcLayer:
    scales = ChannelScales(np.array([1 << 30], np.int32), np.array([-7], np.int8))
    return FcLayer(weights, np.zeros(len(weights), np.int32), scales, core, 1)


def test_fully_connected_takes_the_fastest_format() -> None:
    block2x4 = np.repeat(_sparse(32, 128, 0.8, block=4), 2, axis=0)
    for weights, expected in [
        (block2x4, "block2x4"),
        (_sparse(64, 128, 0.8, block=4), "block1x4"),
        (_sparse(64, 128, 0.85, block=1), "delta8"),
        (_sparse(64, 128, 0.1, block=1), "dense"),
    ]:
        assert choose_fully_connected(_fc_layer(weights, DSP), Policy()).format == expected


def test_inputs_measured_zero_decide_on_columns() -> None:
    layer = _fc_layer(_sparse(64, 256, 0.0, block=1), DSP)
    for share, expected in ((None, "dense"), (0.0, "dense"), (0.95, "columns")):
        choice = choose_fully_connected(replace(layer, zero_inputs=share), Policy())
        assert choice.format == expected
        assert ("95 % of the inputs measured zero" in choice.reason) == (expected == "columns")


def test_a_fully_connected_layer_of_large_sums_takes_the_wide_kernel() -> None:
    weights = np.full((4, 520), 127, np.int8)
    choice = choose_fully_connected(_fc_layer(weights, DSP), Policy())
    assert (choice.format, choice.kernel) == ("dense", "wide")
    assert "sums of 2^23 and more" in choice.reason
    assert choose_fully_connected(_fc_layer(weights[:, :510], DSP), Policy()).kernel == "dense"


def test_sums_too_large_for_half_an_accumulator_exclude_delta8() -> None:
    weights = _sparse(64, 576, 0.75, block=1)
    least, most = np.full(64, -(1 << 22), np.int32), np.full(64, (1 << 22) - 1, np.int32)
    for core, smallest, largest, expected in (
        (DSP, least, most, "delta8"),
        (DSP, least - 1, most, "dense"),
        (DSP, least, most + 1, "dense"),
        (PORTABLE, least - 1, most + 1, "delta8"),
    ):
        filters = ConvFilters(weights, smallest, largest, core, IMAGE)
        choice = choose_conv_2d(filters, Policy(frozenset({"block1x4", "delta4"})))
        assert choice.format == expected
        assert ("a sum may reach" in choice.reason) == (expected == "dense")


def _two_unknown_ops() -> Graph:
    b = TfliteBuilder()
    x = b.input((1, 4), 0.1, 0)
    y, z = b.activation((1, 4), 0.1, 0), b.activation((1, 4), 0.1, 0)
    b.op("FLOOR", [x], [y])
    b.op("SQUARE", [y], [z])
    return read_graph(b.build([z]))


def test_all_ops_without_a_kernel_are_listed_at_once() -> None:
    with pytest.raises(UnsupportedError, match=r"no kernel for FLOOR \(.*\), SQUARE \(.*\)") as caught:
        lower(_two_unknown_ops(), DSP)
    assert caught.value.names == ("FLOOR", "SQUARE")
    assert "\n" not in str(caught.value)


def test_a_small_layer_gets_no_kernel_of_its_own() -> None:
    """delta8 would be best for the second layer, but saves less than its kernel takes beside block1x4."""
    rng = np.random.default_rng(0)
    large, small = _sparse(128, 1024, 0.8, block=4), _sparse(8, 128, 0.9, block=4)
    assert choose_fully_connected(_fc_layer(small, DSP), Policy()).format == "delta8"
    b = TfliteBuilder()
    tensors = [b.input((1, 1024), 0.05, 0), b.activation((1, 128), 1.0, 0), b.activation((1, 8), 20.0, 0)]
    for weights, x, y in zip((large, small), tensors, tensors[1:], strict=False):
        bias = rng.integers(-900, 900, len(weights)).astype(np.int32)
        b.op("FULLY_CONNECTED", [x, b.constant(weights, [0.01]), b.constant(bias)], [y])
    packed = lower(read_graph(b.build(tensors[-1:])), DSP)
    assert [call.weight_format for call in packed.calls] == ["block1x4", "block1x4"]


def test_reshape_is_an_alias() -> None:
    model, _ = NETWORKS["reshape"](np.random.default_rng(0))
    packed = lower(read_graph(model), DSP)
    assert packed.aliases == {3: 1}
    assert packed.layers[1].reason == "no kernel: the output is the input's memory"
    assert [call.op_index for call in packed.calls] == [0, 2]


@pytest.mark.parametrize("core", CORES_UNDER_TEST.values(), ids=CORES_UNDER_TEST)
@pytest.mark.parametrize("name", NETWORKS)
def test_fields_are_the_c_struct_in_order(name: str, core: object) -> None:
    """A designated initialiser out of order, or a field forgotten, would still compile."""
    for seed in range(5):
        model, _ = NETWORKS[name](np.random.default_rng(seed))
        for call in lower(read_graph(model), core).calls:  # type: ignore[arg-type]  # parametrized Core
            text = re.sub(r"/\*.*?\*/", "", (KERNELS / "include" / call.header).read_text(), flags=re.S)
            body = re.search(rf"typedef struct \{{([^}}]*)\}} {call.struct};", text) or re.search(
                rf"struct {call.struct} \{{([^}}]*)\}};", text
            )
            assert body is not None
            declared = [
                re.sub(r"\[\d+\]|\*", "", name).split()[-1]
                for statement in body[1].split(";")
                if statement.strip()
                for name in statement.split(",")
            ]
            assert [field for field, _ in call.fields] == declared
            for source in (call.function, *call.sources):
                assert kernel_source(source).is_file()
            for array in call.arrays:
                assert f"{array.values.dtype}_t" == array.ctype
                assert array.values.ndim == 1


def test_every_lowering_is_fuzzed() -> None:
    several = ("_constant", "_broadcast", "_float")
    names = {re.sub("|".join(several), "", name).upper() for name in NETWORKS}
    assert names - {"CHAIN_OFS", "NORMALIZATION"} == set(LOWERINGS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_say_the_variant_so_that_all_of_them_link_together(variant: str) -> None:
    for path in (KERNELS / variant).glob("*.c"):
        kernel = path.stem.removesuffix(function_name("", variant))
        assert path.stem == function_name(kernel, variant)
        assert re.search(rf"^(__attribute__.*)?void {path.stem}\(", path.read_text(), re.M), path
        assert kernel_source(path.stem) == path


def test_kernels_of_a_fast_variant_have_a_portable_one() -> None:
    only_fast = {path.stem.removesuffix("_dsp") for path in (KERNELS / "dsp").glob("*.c")} - {
        path.stem for path in (KERNELS / "portable").glob("*.c")
    }
    # Their portable counterparts are es_patch_s8, the portable convolutions and es_depthwise_conv_2d_x4_s8.
    assert {name for name in only_fast if not name.startswith(("es_patch_", "es_conv_2d_rows_"))} == {
        "es_conv_2d_groups",
        "es_depthwise_conv_2d_3x3_s8",
        "es_depthwise_conv_2d_3x3_relu_s8",
        "es_depthwise_conv_2d_3x3_stride2_s8",
        "es_depthwise_3x3",
    }


@pytest.mark.parametrize("variant", CORES_UNDER_TEST)
@pytest.mark.parametrize("file", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant"])
def test_every_tensor_of_real_models_equals_the_reference(
    file: str, variant: str, models: Path, tmp_path: Path
) -> None:
    graph = read_graph((models / f"{file}.tflite").read_bytes())
    core = CORES_UNDER_TEST[variant]
    shape = graph.tensors[graph.inputs[0]].shape
    inputs = np.random.default_rng(1).integers(-128, 128, shape, dtype=np.int8)
    expected = tflite_tensors(tmp_path, models / f"{file}.tflite", inputs)
    (result,) = run_cases(tmp_path, [Case(graph, lower(graph, core), inputs.tobytes())])
    # That interpreter's ADD writes over its first input, whose own value is then gone.
    overwritten = {index for op in graph.ops if op.kind == "ADD" for index in op.inputs}
    assert len(result) > len(overwritten)
    for tensor, actual in result.items():
        if tensor not in overwritten:
            assert np.array_equal(expected[tensor].view(np.uint8).reshape(-1), actual), tensor


def test_arrays_are_named_after_the_struct_fields() -> None:
    model, _ = NETWORKS["conv_2d"](np.random.default_rng(3))
    (call,) = lower(read_graph(model), DSP).calls
    assert all(field == value.suffix for field, value in call.fields if isinstance(value, Array))
