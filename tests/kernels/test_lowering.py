"""Choices, refusals, aliases and scratch sizes of the lowering."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import templates_folder
from edgesparse.errors import UnsupportedError
from edgesparse.graph import Graph
from edgesparse.lowering.call import Array
from edgesparse.lowering.choose import FORMATS, Policy, choose
from edgesparse.lowering.conv_2d import conv_2d_cost, conv_2d_scratch_bytes
from edgesparse.lowering.depthwise_conv_2d import depthwise_x4_scratch_bytes
from edgesparse.lowering.fully_connected import fully_connected_cost, fully_connected_scratch_bytes
from edgesparse.lowering.lower import LOWERINGS, lower
from edgesparse.settings import OPTIMIZE_NAMES
from edgesparse.tflite.read import read_graph
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


COST = conv_2d_cost(DSP, 64, 9, 64)


@pytest.mark.parametrize(
    ("sparsity", "block", "expected"),
    [(0.0, 1, "dense"), (0.3, 1, "dense"), (0.75, 4, "block1x4"), (0.75, 1, "delta8"), (1.0, 4, "block1x4")],
)
def test_the_cheapest_format_that_is_no_larger_wins(sparsity: float, block: int, expected: str) -> None:
    choice = choose(_sparse(64, 576, sparsity, block=block), COST, Policy())
    assert choice.format == expected
    assert choice.reason.startswith(f"{expected}: ")


@pytest.mark.parametrize("optimize", OPTIMIZE_NAMES)
def test_a_sparse_choice_is_never_slower_or_larger_than_dense(optimize: str) -> None:
    """Under latency never slower and the fastest, under flash never larger and the smallest."""
    for seed, sparsity in enumerate(np.linspace(0, 1, 21)):
        for block in (1, 4):
            weights = _sparse(16, 64, float(sparsity), block=block, seed=seed)
            for cost in (COST, fully_connected_cost(DSP, 1, 64), fully_connected_cost(PORTABLE, 1, 64)):
                sparse = choose(weights, cost, Policy(optimize=optimize))
                all_formats = [choose(weights, cost, Policy(forced=name)) for name in FORMATS]
                assert [choice.format for choice in all_formats] == list(FORMATS)
                if optimize == "latency":
                    dense = all_formats[0]
                    assert sparse.instructions <= dense.instructions
                    growth, gain = sparse.nbytes / dense.nbytes - 1, 1 - sparse.instructions / dense.instructions
                    assert growth <= gain
                    small = [choice for choice in all_formats if choice.nbytes <= dense.nbytes]
                    assert sparse.instructions <= 1.03 * min(choice.instructions for choice in small)
                else:
                    assert sparse.nbytes == min(choice.nbytes for choice in all_formats)


def test_an_excluded_format_is_not_taken() -> None:
    weights = _sparse(64, 576, 0.9, block=4)
    assert choose(weights, COST, Policy(excluded=frozenset({"block1x4", "delta8"}))).format == "dense"


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


def test_reshape_is_an_alias() -> None:
    model, _ = NETWORKS["reshape"](np.random.default_rng(0))
    packed = lower(read_graph(model), DSP)
    assert packed.aliases == {3: 1}
    assert [layer.kind for layer in packed.layers] == ["RELU", "RESHAPE", "QUANTIZE"]
    assert [call.op_index for call in packed.calls] == [0, 2]


@pytest.mark.parametrize("core", CORES_UNDER_TEST.values(), ids=CORES_UNDER_TEST)
@pytest.mark.parametrize("name", NETWORKS)
def test_fields_are_the_c_struct_in_order(name: str, core: object) -> None:
    """A designated initialiser out of order, or a field forgotten, would still compile."""
    for seed in range(5):
        model, _ = NETWORKS[name](np.random.default_rng(seed))
        for call in lower(read_graph(model), core).calls:  # type: ignore[arg-type]  # parametrized Core
            text = re.sub(r"/\*.*?\*/", "", (KERNELS / "include" / call.header).read_text(), flags=re.S)
            body = re.search(
                rf"typedef struct \{{([^}}]*)\}} {call.struct};", re.sub(r"/\*.*?\*/", "", text, flags=re.S)
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
                assert any((KERNELS / folder / f"{source}.c").exists() for folder in ("portable", "dsp"))
            for array in call.arrays:
                assert f"{array.values.dtype}_t" == array.ctype
                assert array.values.ndim == 1


def test_every_lowering_is_fuzzed() -> None:
    kinds = {"quantize_float": "QUANTIZE"}
    assert {kinds.get(name, name.upper()) for name in NETWORKS} == set(LOWERINGS)


def test_scratch_formulas_of_the_headers() -> None:
    assert conv_2d_scratch_bytes(DSP, patch=144, in_c=16) == 8 * 144 + 16
    assert conv_2d_scratch_bytes(DSP, patch=27, in_c=3) == 8 * 28 + 36
    assert conv_2d_scratch_bytes(PORTABLE, patch=27, in_c=3) == 4 * 28
    assert fully_connected_scratch_bytes(DSP, "dense", 13) == 32
    assert fully_connected_scratch_bytes(PORTABLE, "block1x4", 13) == 16
    assert fully_connected_scratch_bytes(DSP, "delta8", 13) == 0
    assert depthwise_x4_scratch_bytes(9, 64) == 64 + 36


def test_every_kernel_source_has_a_portable_variant() -> None:
    only_dsp = {path.stem for path in (KERNELS / "dsp").glob("*.c")} - {
        path.stem for path in (KERNELS / "portable").glob("*.c")
    }
    assert only_dsp == {"es_patch_block_s16", "es_patch_pixel_s16"}  # es_patch_s8 is their portable counterpart


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
    (result,) = run_cases(tmp_path, core, [Case(graph, lower(graph, core), inputs.tobytes())])
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
