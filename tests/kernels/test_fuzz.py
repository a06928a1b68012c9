"""Every kernel variant against TFLite Micro's reference kernels, byte for byte, under ASan and UBSan."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgesparse.lowering.choose import FORMATS
from edgesparse.lowering.context import Context
from edgesparse.lowering.lower import LOWERINGS, lower
from edgesparse.lowering.model import PackedModel
from edgesparse.tflite.read import read_graph
from tests.conftest import skip_or_fail
from tests.kernels.networks import CASES, NETWORKS
from tests.support.host_kernels import CORES_UNDER_TEST, Case, run_cases
from tests.support.reference import tflm_output


@pytest.fixture(autouse=True)
def _host_compiler() -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")


def _compare(folder: Path, variant: str, cases: list[Case], expected: list[bytes]) -> None:
    results = run_cases(folder, CORES_UNDER_TEST[variant], cases)
    for number, (case, result, reference) in enumerate(zip(cases, results, expected, strict=True)):
        output = case.graph.outputs[0]
        actual = result[case.packed.aliases.get(output, output)].tobytes()
        assert actual == reference, f"case {number}: {case.graph.ops[0].options} {case.packed.calls[0].function}"


@pytest.mark.parametrize("variant", CORES_UNDER_TEST)
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_equal_the_reference(name: str, variant: str, tmp_path: Path) -> None:
    core = CORES_UNDER_TEST[variant]
    cases, expected = [], []
    for seed in range(CASES.get(name, 30)):
        model, inputs = NETWORKS[name](np.random.default_rng(seed))
        graph = read_graph(model)
        data = b"".join(x.tobytes() for x in inputs)
        cases.append(Case(graph, lower(graph, core, dense_only=seed % 5 == 0), data))
        expected.append(tflm_output(model, inputs).tobytes())
    _compare(tmp_path, variant, cases, expected)


@pytest.mark.parametrize("variant", CORES_UNDER_TEST)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["conv_2d", "fully_connected"])
def test_every_format_is_exact_on_any_weights(name: str, format: str, variant: str, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """The choice by cost would keep most of these dense: here each format takes all of them."""
    core = CORES_UNDER_TEST[variant]
    monkeypatch.setattr("edgesparse.lowering.choose.FORMATS", {"dense": FORMATS[format]})
    cases, expected = [], []
    for seed in range(60):
        model, inputs = NETWORKS[name](np.random.default_rng(1000 + seed))
        graph = read_graph(model)
        calls = LOWERINGS[graph.ops[0].kind](Context(graph, core, 0, frozenset()))
        assert calls[0].weight_format == format
        cases.append(Case(graph, PackedModel(calls, {}, ()), b"".join(x.tobytes() for x in inputs)))
        expected.append(tflm_output(model, inputs).tobytes())
    _compare(tmp_path, variant, cases, expected)
