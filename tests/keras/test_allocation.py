"""How the zeros are shared out over the layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgesparse.boards import CORES
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.network import Network
from edgesparse.quantize import match_kernels, quantize
from edgesparse.sparsify import Curve, SparsityPlan, device_costs, plan
from edgesparse.sparsify.allocation import LOSS_TOLERANCE, reallocate
from tests.keras.test_layerwise import residual_network


def quadratic(planned: SparsityPlan, factors: dict[str, float]) -> dict[str, Curve]:
    """Losses that grow with the square of the zeros."""
    return {
        layer.name: [
            (zeros, zeros**2 / layer.weights * factors.get(layer.name, 1.0))
            for zeros in range(0, layer.weights + 1, 16)
        ]
        for layer in planned.layers
        if layer.pattern is not None
    }


def total_loss(planned: SparsityPlan, losses: dict[str, Curve]) -> float:
    return sum(
        float(np.interp(layer.sparsity * layer.weights, *np.transpose(losses[layer.name])))
        for layer in planned.layers
        if layer.name in losses
    )


def zeros_in(planned: SparsityPlan) -> int:
    return sum(round(layer.sparsity * layer.weights) for layer in planned.layers)


def test_zeros_go_where_they_cost_least_and_the_total_stays() -> None:
    planned = plan(residual_network(), sparsity=0.6, pattern="block1x4")
    pruned = [layer for layer in planned.layers if layer.pattern is not None]
    dear = pruned[0].name
    shared = reallocate(planned, quadratic(planned, {dear: 100.0}))
    layers = {layer.name: layer for layer in shared.layers}
    others = [layers[layer.name].sparsity for layer in pruned[1:]]
    assert layers[dear].sparsity < 0.1
    assert 0.6 < min(others) <= max(others) < min(others) + 0.05  # the same slope everywhere
    assert 0.6 * shared.prunable_weights <= zeros_in(shared) + 1e-6 < 0.6 * shared.prunable_weights + 4
    assert all(round(layer.sparsity * layer.weights) % 4 == 0 for layer in shared.layers)


def test_the_device_pulls_zeros_to_where_they_save_most_within_the_tolerance() -> None:
    planned = plan(residual_network(), sparsity=0.6, pattern="block1x4")
    losses = quadratic(planned, {})
    pruned = [layer for layer in planned.layers if layer.pattern is not None]
    fast = max(pruned, key=lambda layer: layer.weights)
    costs: dict[str, Curve] = {
        layer.name: [(0, 1000.0), (layer.weights, 0.0 if layer is fast else 1000.0)] for layer in pruned
    }
    alone, both = reallocate(planned, losses), reallocate(replace(planned, costs=lambda: costs), losses)
    before, after = ({layer.name: layer.sparsity for layer in shared.layers} for shared in (alone, both))
    assert after[fast.name] > before[fast.name] + 0.05
    assert total_loss(alone, losses) < total_loss(both, losses)
    assert total_loss(both, losses) <= total_loss(alone, losses) * (1 + LOSS_TOLERANCE) * 1.01  # in whole blocks
    assert zeros_in(both) == zeros_in(alone)


def test_zeros_that_do_not_pay_are_not_spread_thin() -> None:
    """A layer that is faster only with many zeros gets many or few, and a loss of nothing is not raised."""
    planned = plan(residual_network(), sparsity=0.5, pattern="block1x4")
    pruned = [layer for layer in planned.layers if layer.pattern is not None]
    free: dict[str, Curve] = {layer.name: [(0, 0.0), (layer.weights, 0.0)] for layer in pruned}
    costs: dict[str, Curve] = {
        layer.name: [(0, 100.0), (layer.weights // 2, 100.0), (layer.weights * 3 // 4, 20.0), (layer.weights, 10.0)]
        for layer in pruned
    }
    shared = reallocate(replace(planned, costs=lambda: costs), free)
    between = [layer for layer in shared.layers if layer.name in costs and 0.05 < layer.sparsity < 0.7]
    assert len(between) <= 1
    assert total_loss(shared, free) == 0.0


def test_n_of_m_leaves_no_choice() -> None:
    planned = plan(residual_network(), sparsity=0.5, pattern="nm=2:4")
    assert reallocate(planned, {layer.name: [(0, 0.0), (8, 1.0)] for layer in planned.layers}) == planned


@pytest.mark.parametrize("optimize", ["latency", "flash"])
def test_what_a_device_needs_falls_with_the_zeros(optimize: str) -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            layers.Conv2D(16, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(32, name="dense"),
        ]
    )
    x = np.random.default_rng(0).standard_normal((20, 8, 8, 16)).astype(np.float32)
    graph = Network.read(quantize(model, x, dense_per_channel=False)).graph
    ops = match_kernels(graph, iter_kernels(model))
    planned = plan(model, sparsity=0.8, pattern="block")
    costs = device_costs(graph, ops, planned, CORES["cortex-m4"], optimize=optimize)
    assert sorted(costs) == ["conv", "dense"]
    for name, curve in costs.items():
        values = dict(curve)
        weights = {layer.name: layer.weights for layer in planned.layers}[name]
        assert list(values) == sorted(values)
        assert min(values) == 0
        assert max(values) <= weights
        assert max(values.values()) == values[0]  # never more than dense
        assert values[max(values)] < 0.3 * values[0]
