"""More zeros never cost more: what pruning leaves of a filter takes no kernel and no format from the others."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import CORES
from edgesparse.fixedpoint import quantize_multiplier
from edgesparse.lowering.lower import lower
from edgesparse.lowering.model import PackedModel
from edgesparse.tflite.read import read_graph
from tests.support.emptied_filters import chain, prune
from tests.support.host_kernels import CORES_UNDER_TEST, DSP, Case, run_cases
from tests.support.reference import tflm_output

UNDER_2_TO_30 = (1 << 30) - 777


def _random_weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    weights[weights == 0] = 1
    return weights


def _instructions(packed: PackedModel) -> int:
    return sum(layer.estimated_instructions for layer in packed.layers)


@pytest.mark.parametrize("factor", [2.0**-shift for shift in (1.5, 4.5, 9.5, 15.5, 20.5, 21.5, 22.5, 28.5)])
@pytest.mark.parametrize("bias", [-UNDER_2_TO_30, UNDER_2_TO_30, 1 << 26, -(1 << 26) - 1, 1 << 22])
@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_an_emptied_filter_leaves_the_others_their_kernels(kind: str, bias: int, factor: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shape = (1, 1) if kind == "FULLY_CONNECTED" else (3, 3)
    weights = prune(rng, _random_weights(rng, 16, *shape, 64), 0.8, [5])
    model = chain([(weights, {5: (bias, factor)})], 4, kind=kind)
    graph = read_graph(model)
    packed = lower(graph, DSP)
    usual = lower(read_graph(chain([(weights, {})], 4, kind=kind)), DSP)
    (call,) = packed.calls
    assert call.function == usual.calls[0].function, packed.layers[0].reason
    assert call.variant == "dsp"
    inputs = [rng.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)]
    (result,) = run_cases(tmp_path, [Case(graph, packed, inputs[0].tobytes())])
    assert result[call.output].tobytes() == tflm_output(model, inputs).tobytes()


def test_one_wide_layer_takes_no_kernel_from_the_others() -> None:
    """Its sums vary at the output, so that it cannot be folded."""
    rng = np.random.default_rng(2)
    layers = [(_random_weights(rng, 8, 3, 3, 8), {}) for _ in range(3)]
    layers[1] = (layers[1][0], {3: (1 << 28, 32.5 / (1 << 28))})
    packed = lower(read_graph(chain(layers, 6)), DSP)
    assert [call.function for call in packed.calls] == [
        "es_conv_2d_dense_s8_dsp",
        "es_conv_2d_dense_s8",
        "es_conv_2d_dense_s8_dsp",
    ]
    assert ["portable kernel, not dsp: a " in layer.reason for layer in packed.layers] == [False, True, False]


def _extreme(rng: np.random.Generator) -> tuple[int, float]:
    """A bias from usual to just under 2^30, and a factor with any shift: the bias of a filter without weights."""
    bias = int(rng.choice([-1, 1]) * min(2 ** rng.uniform(8, 30), UNDER_2_TO_30))
    return bias, float(2 ** rng.uniform(-30, -1))


@pytest.mark.parametrize("core", [*CORES.values(), CORES_UNDER_TEST["portable"]], ids=lambda core: core.name)
@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_more_zeros_never_cost_more_than_the_dense_twin(kind: str, core: object) -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        size, channels = int(rng.integers(1, 9)), [int(rng.choice([4, 8, 12, 20, 32])) for _ in range(4)]
        shape = (1, 1) if kind == "FULLY_CONNECTED" else (3, 3)
        dense = [_random_weights(rng, out, *shape, into) for into, out in itertools.pairwise(channels)]
        points = [int(rng.choice([-128, 3])) for _ in dense]
        twin = lower(
            read_graph(chain([(weights, {}) for weights in dense], size, kind=kind, zero_points=points)),
            core,  # type: ignore[arg-type]  # parametrized Core
            dense_only=True,
        )
        for zeros in (0.0, 0.5, 0.75, 0.95, 1.0):
            emptied = [[c for c in range(len(weights)) if rng.random() < zeros / 3] for weights in dense]
            layers = [
                (prune(rng, weights, zeros, gone), {c: _extreme(rng) for c in gone})
                for weights, gone in zip(dense, emptied, strict=True)
            ]
            graph = read_graph(chain(layers, size, kind=kind, zero_points=points))
            packed = lower(graph, core)  # type: ignore[arg-type]
            assert _instructions(packed) <= _instructions(twin), (seed, zeros, [x.reason for x in packed.layers])
            same = lower(graph, core, dense_only=True)  # type: ignore[arg-type]
            assert _instructions(packed) <= _instructions(same), (seed, zeros)


def test_the_factors_above_have_the_shifts_that_they_should() -> None:
    assert [quantize_multiplier(2.0**-shift)[1] for shift in (1.5, 21.5, 22.5)] == [-1, -21, -22]
