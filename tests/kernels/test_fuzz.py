"""Every kernel variant against TFLite Micro's reference kernels, byte for byte, under ASan and UBSan."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgesparse.errors import UnsupportedError
from edgesparse.lowering.formats import CONV_2D_FORMATS, FULLY_CONNECTED_FORMATS
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.lowering.lower import lower
from edgesparse.tflite.read import read_graph
from tests.conftest import skip_or_fail
from tests.kernels.networks import CASES, NETWORKS, VALID
from tests.support.host_kernels import CORES_UNDER_TEST, Case, run_cases
from tests.support.reference import tflm_output
from tests.support.tflite_builder import TfliteBuilder


@pytest.fixture(autouse=True)
def _host_compiler() -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")


def _compare(folder: Path, cases: list[Case], expected: list[bytes]) -> None:
    results = run_cases(folder, cases)
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
    _compare(tmp_path, cases, expected)


@pytest.mark.parametrize("variant", CORES_UNDER_TEST)
@pytest.mark.parametrize("format", CONV_2D_FORMATS)
def test_every_format_of_conv_2d_is_exact_on_any_weights(format: str, variant: str, tmp_path: Path) -> None:
    """The choice by cost would keep most of these dense: here each format takes all of them that it can."""
    core = CORES_UNDER_TEST[variant]
    cases, expected = [], []
    for seed in range(80):
        model, inputs = NETWORKS["conv_2d"](np.random.default_rng(1000 + seed))
        graph = read_graph(model)
        packed = lower(graph, core, forced=format)
        assert packed.calls[0].weight_format == format
        if packed.calls[0].variant == variant:
            cases.append(Case(graph, packed, b"".join(x.tobytes() for x in inputs)))
            expected.append(tflm_output(model, inputs).tobytes())
    assert len(cases) > 50
    _compare(tmp_path, cases, expected)


@pytest.mark.parametrize("variant", CORES_UNDER_TEST)
@pytest.mark.parametrize("format", [*FULLY_CONNECTED_FORMATS, "wide"])
def test_every_format_of_fully_connected_is_exact_on_any_weights(format: str, variant: str, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """As above, where the layer meets the format's conditions; `wide` is what takes the others."""
    core = CORES_UNDER_TEST[variant]
    if format == "wide":
        monkeypatch.setattr(FcLayer, "right_shifts_only", False)
    cases, expected = [], []
    for seed in range(150):
        model, inputs = NETWORKS["fully_connected"](np.random.default_rng(2000 + seed))
        graph = read_graph(model)
        packed = lower(graph, core, forced="dense" if format == "wide" else format, zero_inputs={0: 0.5})
        if packed.calls[0].kernel == f"es_fully_connected_{format}_s8":
            cases.append(Case(graph, packed, b"".join(x.tobytes() for x in inputs)))
            expected.append(tflm_output(model, inputs).tobytes())
    assert len(cases) > 80
    _compare(tmp_path, cases, expected)


def test_depthwise_strips_are_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So little scratch that an image takes several strips, the last of them lower."""
    core = CORES_UNDER_TEST["dsp"]
    monkeypatch.setattr("edgesparse.lowering.depthwise_conv_2d._STRIP_BYTES", 400)
    cases, expected, functions = [], [], set()
    for seed in range(60):
        model, inputs = NETWORKS["depthwise_conv_2d"](np.random.default_rng(2000 + seed))
        graph = read_graph(model)
        packed = lower(graph, core)
        functions.add(packed.calls[0].kernel)
        cases.append(Case(graph, packed, inputs[0].tobytes()))
        expected.append(tflm_output(model, inputs).tobytes())
    assert functions >= {
        f"es_depthwise_conv_2d_{kernel}s8" for kernel in ("", "x4_", "3x3_", "3x3_relu_", "3x3_stride2_")
    }
    _compare(tmp_path, cases, expected)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("bias", "record"),
    [((1 << 20) - 1, 7), (-(1 << 20), 7), (1 << 20, 8), ((1 << 28) - 1, 8), (-(1 << 28), 8), (1 << 28, 0)],
)
def test_depthwise_records_carry_every_bit_of_a_bias(bias: int, record: int, stride: int, tmp_path: Path) -> None:
    b = TfliteBuilder()
    x = b.input((1, 7, 9, 5), 1.0, 0)
    y = b.activation((1, -(-7 // stride), -(-9 // stride), 5), 2.0, -3)
    rng = np.random.default_rng(record + stride)
    large = 65.0 / abs(bias)  # the bias alone gives 32.5: rounding decides
    values = np.array([bias, 5, -7, bias - (bias > 0) + (bias < 0), 1], np.int32)
    constants = [
        b.constant(rng.integers(-127, 128, (1, 3, 3, 5)).astype(np.int8), [large, 1e-2, 0.7e-3, large, 0.9e-3], 3),
        b.constant(values),
    ]
    b.op(
        "DEPTHWISE_CONV_2D",
        [x, *constants],
        [y],
        padding=0,
        strideH=stride,
        strideW=stride,
        dilationHFactor=1,
        dilationWFactor=1,
        depthMultiplier=1,
    )
    model, inputs = b.build([y]), [rng.integers(-128, 128, (1, 7, 9, 5)).astype(np.int8)]
    packed = lower(read_graph(model), CORES_UNDER_TEST["dsp"])
    assert dict(packed.calls[0].fields)["record"] == record
    case = Case(read_graph(model), packed, inputs[0].tobytes())
    _compare(tmp_path, [case], [tflm_output(model, inputs).tobytes()])


def _wide_sum_network(bias: int, zero_point: int, left: bool) -> tuple[bytes, list[np.ndarray]]:
    """A 1x1 convolution whose sums come near 2^31 and still vary at the output: a dead filter with a large bias."""
    net = TfliteBuilder()
    x = net.input((1, 3, 3, 512), 1.0, zero_point)
    y = net.activation((1, 3, 3, 4), 2.0 if not left else 0.25, 0)
    rng = np.random.default_rng(bias % 97)
    weights = rng.integers(-127, 128, (4, 1, 1, 512)).astype(np.int8)
    scale = 65.0 / bias if not left else 1.0  # the bias alone gives 32.5: rounding decides
    scales = [scale, scale, 1e-3, 1e-3]
    values = np.array([bias, -bias, 5, -7], np.int32) if not left else np.array([5, 9, 5, -7], np.int32)
    net.op(
        "CONV_2D",
        [x, net.constant(weights, scales), net.constant(values)],
        [y],
        padding=VALID,
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
    )
    return net.build([y]), [rng.integers(-128, 128, (1, 3, 3, 512)).astype(np.int8)]


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("bias", [1 << 30, (1 << 30) + 12345, (1 << 31) - 20_000_000])
def test_sums_beyond_two_to_the_thirty_are_exact(bias: int, left: bool, tmp_path: Path) -> None:
    core = CORES_UNDER_TEST["dsp"]
    model, inputs = _wide_sum_network(bias, -3, left)
    graph = read_graph(model)
    packed = lower(graph, core)
    assert packed.calls[0].variant == "portable", "the DSP requantization wants sums below 2^30 and right shifts"
    assert re.search("portable kernel, not dsp: a (sum may reach|scale of about)", packed.layers[0].reason)
    case = Case(graph, packed, inputs[0].tobytes())
    _compare(tmp_path, [case], [tflm_output(model, inputs).tobytes()])


@pytest.mark.parametrize(("bias", "fits"), [((1 << 26) - 1, True), (1 << 26, False)])
def test_a_bias_shares_a_word_with_its_shift_up_to_27_bits(bias: int, fits: bool, tmp_path: Path) -> None:
    model, inputs = _wide_sum_network(bias, 0, False)
    graph = read_graph(model)
    packed = lower(graph, CORES_UNDER_TEST["dsp"])
    assert packed.calls[0].variant == ("dsp" if fits else "portable")
    assert ("a bias of 67,108,864, its table has room for 67,108,863" in packed.layers[0].reason) != fits
    _compare(tmp_path, [Case(graph, packed, inputs[0].tobytes())], [tflm_output(model, inputs).tobytes()])


def test_sums_beyond_int32_are_refused() -> None:
    graph = read_graph(_wide_sum_network((1 << 31) - 1, 100, False)[0])
    with pytest.raises(UnsupportedError, match="does not fit int32"):
        lower(graph, CORES_UNDER_TEST["dsp"])
