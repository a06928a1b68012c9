"""Numbers at their ends: scales, channels, saturated values, sums beyond int32. TFLite Micro's bytes, or a refusal."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgesparse.errors import InputError, ModelError, UnsupportedError
from edgesparse.lowering import lower
from edgesparse.tflite import read_graph
from tests.conftest import skip_or_fail
from tests.support.host_kernels import CORES_UNDER_TEST, Case, run_cases
from tests.support.reference import tflm_output
from tests.support.tflite_builder import LINEAR, PADDING_VALID, Scale, TfliteBuilder

Weights = NDArray[np.int8]
KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
STRIDES = {"strideH": 1, "strideW": 1, "padding": PADDING_VALID, "fusedActivationFunction": LINEAR}
DILATIONS = {"dilationHFactor": 1, "dilationWFactor": 1}
MANY = (1, 2, 255, 4095, 65_535, 65_536)
ENDS = {"low": (-128, -127), "high": (127, 127), "opposite": (-128, 127)}
"""All inputs, all weights."""
NO_SCALES = (0.0, -0.0, -1.0, float("nan"), float("inf"), float("-inf"))
TINY_AND_HUGE = (1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e10, 1e20, 1e30, 3.4e38)
ARENA_BYTES = 64 << 20


def layer(
    kind: str,
    channels: int,
    filters: int,
    *,
    weights: int | Weights,
    bias: int = 0,
    scales: tuple[Scale, Scale, Scale] = (0.05, 0.01, 0.5),
    zero_point: int = 0,
) -> bytes:
    """One layer of 1x1 filters. scales: of the input, the weights and the output. DEPTHWISE_CONV_2D has no filters."""
    b = TfliteBuilder()
    flat = kind == "FULLY_CONNECTED"
    filters = channels if kind == "DEPTHWISE_CONV_2D" else filters
    shape = {"CONV_2D": (filters, 1, 1, channels), "DEPTHWISE_CONV_2D": (1, 1, 1, channels)}
    values = np.broadcast_to(np.asarray(weights, np.int8), shape.get(kind, (filters, channels))).copy()
    x = b.input((1, channels) if flat else (1, 1, 1, channels), scales[0], zero_point)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        bias_scale = np.float32(scales[0]) * np.float32(scales[1])
    constants = [
        b.constant(values, [scales[1]], 3 if kind == "DEPTHWISE_CONV_2D" else 0),
        b.constant(np.full(filters, bias, np.int32), [bias_scale]),
    ]
    y = b.activation((1, filters) if flat else (1, 1, 1, filters), scales[2], 3)
    options = {} if flat else {**STRIDES, **DILATIONS}
    b.op(kind, [x, *constants], [y], **options, **({"depthMultiplier": 1} if kind == "DEPTHWISE_CONV_2D" else {}))
    return b.build([y])


def check(folder: Path, networks: list[tuple[bytes, NDArray[np.generic]]]) -> int:
    """How many are accepted on each core: what they give must be the reference's bytes."""
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    accepted = []
    for data, x in networks:
        for core in CORES_UNDER_TEST.values():
            with contextlib.suppress(InputError):
                accepted.append((data, x, Case(read_graph(data), lower(read_graph(data), core), x.tobytes())))
    results = run_cases(folder, [case for *_, case in accepted])
    for (data, x, case), result in zip(accepted, results, strict=True):
        expected = tflm_output(data, [x], ARENA_BYTES)
        assert result[case.graph.outputs[0]].tobytes() == expected.tobytes()
    return len(accepted)


def values(shape: tuple[int, ...], seed: int) -> Weights:
    """Inputs and weights, uniform."""
    return np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)


@pytest.mark.parametrize("kind", KINDS)
def test_one_to_65536_channels(kind: str, tmp_path: Path) -> None:
    networks: list[tuple[bytes, NDArray[np.generic]]] = []
    for channels in MANY:
        weights = values((1, 1, 1, channels) if kind != "FULLY_CONNECTED" else (1, channels), channels)
        if kind == "CONV_2D":
            weights = weights.reshape(1, 1, 1, channels)
        x = values((1, channels) if kind == "FULLY_CONNECTED" else (1, 1, 1, channels), channels + 1)
        networks.append((layer(kind, channels, 1, weights=weights, scales=(0.05, 0.01, 5.0)), x))
        if kind != "DEPTHWISE_CONV_2D":
            one = values((1, 1) if kind == "FULLY_CONNECTED" else (1, 1, 1, 1), 7)
            many = values((channels, 1) if kind == "FULLY_CONNECTED" else (channels, 1, 1, 1), 8)
            networks.append((layer(kind, 1, channels, weights=many), one))
    assert check(tmp_path, networks) >= 2 * 5 * (1 if kind == "DEPTHWISE_CONV_2D" else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_values_and_zeros(kind: str, tmp_path: Path) -> None:
    networks: list[tuple[bytes, NDArray[np.generic]]] = []
    for channels in (1, 3, 16, 256):
        shape = (1, channels) if kind == "FULLY_CONNECTED" else (1, 1, 1, channels)
        for inputs, weights in [*ENDS.values(), (127, 0), (-128, 0)]:
            for zero_point in (-128, 0, 127):
                x = np.full(shape, inputs, np.int8)
                networks.append((layer(kind, channels, 5, weights=weights, zero_point=zero_point), x))
    assert check(tmp_path, networks) == 2 * len(networks)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", range(3))
def test_scales_that_are_no_scales_are_refused(kind: str, place: int) -> None:
    for scale in NO_SCALES:
        scales: list[Scale] = [0.05, 0.01, 0.5]
        scales[place] = scale
        with pytest.raises(InputError) as caught:
            lower(
                read_graph(layer(kind, 4, 4, weights=3, scales=(scales[0], scales[1], scales[2]))),
                CORES_UNDER_TEST["dsp"],
            )
        assert "scale" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_tiny_and_huge_scales(kind: str, tmp_path: Path) -> None:
    networks: list[tuple[bytes, NDArray[np.generic]]] = []
    shape = (1, 4) if kind == "FULLY_CONNECTED" else (1, 1, 1, 4)
    for scale in TINY_AND_HUGE:
        for other in (1e-45, 1e-20, 0.05, 1e20):
            x = values(shape, 5)
            networks.append((layer(kind, 4, 4, weights=3, scales=(scale, other, 0.5)), x))
            networks.append((layer(kind, 4, 4, weights=3, scales=(0.05, other, scale)), x))
            networks.append((layer(kind, 4, 4, weights=3, scales=(scale, 0.01, scale)), x))
    assert check(tmp_path, networks) > 0


def test_errors_of_the_arithmetic_name_the_layer() -> None:
    data = layer("CONV_2D", 4, 4, weights=3, scales=(1e20, 1.0, 0.5))
    with pytest.raises(ModelError, match=r"^layer 'conv_2d' \(CONV_2D\): the rescaling factor .* is 2\^30 or more"):
        lower(read_graph(data), CORES_UNDER_TEST["dsp"])


@pytest.mark.parametrize("kind", KINDS)
def test_biases_near_the_ends_of_int32(kind: str, tmp_path: Path) -> None:
    """Two of them leave int32 with the products; the others are the reference's."""
    networks: list[tuple[bytes, NDArray[np.generic]]] = []
    shape = (1, 8) if kind == "FULLY_CONNECTED" else (1, 1, 1, 8)
    for bias in (-(2**31), -(2**30), -(2**26), 2**26, 2**30, 2**31 - 2_000_000, 2**31 - 1):
        for output_scale in (0.5, 1e3, 1e6):
            data = layer(kind, 8, 5, weights=values((8,), 3), bias=bias, scales=(0.05, 0.01, output_scale))
            networks.append((data, values(shape, bias % 1000)))
    assert check(tmp_path, networks) > len(networks)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sum_beyond_int32_is_refused(kind: str) -> None:
    data = layer(kind, 4, 4, weights=127, bias=2**31 - 1, scales=(0.05, 0.01, 1e4), zero_point=-128)
    with pytest.raises(UnsupportedError, match=r"a sum may reach .*does not fit int32"):
        lower(read_graph(data), CORES_UNDER_TEST["dsp"])


def _mean(b: TfliteBuilder, x: int) -> int:
    y = b.activation((1, 1), 0.05)
    b.op("MEAN", [x, b.constant(np.array([1, 2], np.int32))], [y])
    return y


def _average(b: TfliteBuilder, x: int) -> int:
    y = b.activation((1, 1, 1, 1), 0.05, 3)
    height, width = b.shape(x)[1:3]
    options = {**STRIDES, "strideH": height, "strideW": width, "filterHeight": height, "filterWidth": width}
    b.op("AVERAGE_POOL_2D", [x], [y], **options)
    return y


def _softmax(b: TfliteBuilder, x: int) -> int:
    flat, y = b.activation((1, b.elements(x)), 0.05), b.activation((1, b.elements(x)), 1 / 256, -128)
    b.op("RESHAPE", [x, b.constant(np.array([1, b.elements(x)], np.int32))], [flat])
    b.op("SOFTMAX", [flat], [y], beta=1.0)
    return y


@pytest.mark.parametrize(
    ("make", "most"),
    [(_mean, (512, 512)), (_average, (4096, 4080)), (_softmax, (1, 511))],
    ids=("mean", "average", "softmax"),
)
def test_sums_of_many_values(make: Callable[[TfliteBuilder, int], int], most: tuple[int, int], tmp_path: Path) -> None:
    """What fits int32 is the reference's; one that may not is refused."""
    b = TfliteBuilder()
    x = b.input((1, *most, 1), 0.05, 3)
    data = b.build([make(b, x)])
    for value in (-128, 127):
        assert check(tmp_path, [(data, np.full((1, *most, 1), value, np.int8))]) == 2
    b = TfliteBuilder()
    x = b.input((1, 4097, 4097, 1), 0.05, 3)
    with pytest.raises(UnsupportedError, match="overflow"):
        lower(read_graph(b.build([make(b, x)])), CORES_UNDER_TEST["dsp"])


@pytest.mark.parametrize("largest", [512, 1000, 4095])
def test_a_softmax_of_many_equal_values_is_no_step(largest: int, tmp_path: Path) -> None:
    """Where the reference stops with a failed assertion: 1/512 and less is 0 in steps of 1/256."""
    b = TfliteBuilder()
    graph = read_graph(b.build([_softmax(b, b.input((1, 1, 4095, 1), 0.5, 3))]))
    x = np.full(graph.tensors[graph.inputs[0]].shape, -128, np.int8)
    x.flat[:largest] = 127
    for core in CORES_UNDER_TEST.values():
        (result,) = run_cases(tmp_path, [Case(graph, lower(graph, core), x.tobytes())])
        assert set(result[graph.outputs[0]].view(np.int8).tolist()) == {-128}


def test_floats_that_are_no_numbers_have_a_defined_value(tmp_path: Path) -> None:
    """Where the reference's cast is undefined in C: NaN is the zero point, all others saturate."""
    b = TfliteBuilder()
    x = np.array([[np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45]], np.float32)
    source = b.input(x.shape, dtype="float32")
    y = b.activation(x.shape, 0.05, 3)
    b.op("QUANTIZE", [source], [y])
    graph = read_graph(b.build([y]))
    for core in CORES_UNDER_TEST.values():
        (result,) = run_cases(tmp_path, [Case(graph, lower(graph, core), x.tobytes())])
        assert result[graph.outputs[0]].view(np.int8).tolist() == [3, 127, -128, 127, -128, 3]
