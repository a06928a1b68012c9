"""Second-order pruning: the optimum where it is known by hand, and never worse than magnitude."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from edgesparse.sparsify.patterns import Tiling, pattern_named
from edgesparse.sparsify.second_order import LayerProblem, layer_problem, prune_layer


def problem(hessian: Any, weights: Any) -> LayerProblem:
    """The quadratic whose best weights [out, d] are these."""
    h = np.array(hessian, np.float64)
    return LayerProblem(h, h @ np.array(weights, np.float64).T)


def random_problem(seed: int, outputs: int = 8, width: int = 16) -> tuple[Any, LayerProblem]:
    """Correlated inputs of unequal power, and the weights that are best for them."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((200, width)) @ rng.standard_normal((width, width)) * rng.uniform(0.2, 3, width)
    weights = rng.standard_normal((outputs, width))
    return weights, layer_problem(weights, inputs, inputs @ weights.T)


def best_on(task: LayerProblem, keep: Any) -> Any:
    """Least-squares weights [out, d] on a support, row by row."""
    weights = np.zeros(keep.shape)
    for row, at in enumerate(keep):
        weights[row, at] = np.linalg.solve(task.hessian[np.ix_(at, at)], task.correlation[at, row])
    return weights


def test_the_weight_of_least_saliency_goes_and_the_other_makes_up_for_it() -> None:
    # H = [2 1; 1 2], its inverse [2 -1; -1 2] / 3: removing w_q costs w_q^2 / (2 / 3), so 1.5 for the first and 6 for
    # the second; the second then becomes w_2 + w_1 H_12 / H_22 = 2.5.
    result = prune_layer(problem([[2, 1], [1, 2]], [[1, 2]]), Tiling(), 1)
    np.testing.assert_allclose(result.weights, [[0, 2.5]], atol=1e-12)
    assert result.keep.tolist() == [[False, True]]
    assert result.path[0] == (0, pytest.approx(0.0, abs=1e-12))
    assert result.path[-1] == (1, pytest.approx(1.5))


def test_a_large_weight_on_a_weak_input_goes_before_a_small_one_on_a_strong_input() -> None:
    result = prune_layer(problem([[9, 0], [0, 1]], [[1, 2]]), Tiling(), 1)
    assert result.keep.tolist() == [[True, False]]  # 1 * 2^2 < 9 * 1^2


def test_rows_share_a_budget() -> None:
    result = prune_layer(problem([[1, 0], [0, 1]], [[1, 2], [5, 6]]), Tiling(), 2)
    assert result.keep.tolist() == [[False, False], [True, True]]


def test_a_block_is_removed_by_what_it_costs_as_a_whole() -> None:
    # Inputs 0 and 1 are nearly opposite, so that the first block's large weights cancel.
    hessian = np.eye(8)
    hessian[0, 1] = hessian[1, 0] = -0.99
    weights = [[3, 3, 0, 0, 1, 1, 1, 1]]  # costs 2 * 9 - 2 * 9 * 0.99 = 0.18 against 4
    result = prune_layer(problem(hessian, weights), Tiling(columns=4), 4)
    assert result.keep.astype(int).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    assert result.path[-1] == (4, pytest.approx(0.18))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "zeros"), [("unstructured", 64), ("block1x4", 64), ("block2x4", 64), ("nm=2:4", 64), ("nm=1:4", 96)]
)
def test_the_cost_is_at_most_that_of_magnitude_and_the_weights_are_the_best_of_their_support(
    name: str, zeros: int, seed: int
) -> None:
    weights, task = random_problem(seed)
    pattern = pattern_named(name)
    result = prune_layer(task, pattern.tiling, zeros)
    assert np.count_nonzero(result.weights == 0) == zeros == np.count_nonzero(~result.keep)
    np.testing.assert_allclose(result.weights, best_on(task, result.keep), atol=1e-9)
    mask = pattern.mask(weights.astype(np.float32), zeros / weights.size)
    assert task.cost(result.weights) < task.cost(best_on(task, mask)) < task.cost(np.where(mask, weights, 0))
    assert result.path[-1] == (zeros, pytest.approx(task.cost(result.weights), rel=1e-6))
    units = result.keep.reshape(8 // pattern.tiling.rows, pattern.tiling.rows, -1, pattern.tiling.columns)
    assert np.array_equal(units.any(axis=(1, 3)), units.all(axis=(1, 3)))
    if name.startswith("nm="):
        assert set(np.count_nonzero(result.keep.reshape(-1, 4), axis=1)) == {int(name[3])}


@pytest.mark.parametrize("seed", range(6))
def test_one_weight_at_a_time_comes_close_to_the_best_of_all_supports(seed: int) -> None:
    _, task = random_problem(seed, outputs=1, width=8)
    result = prune_layer(task, Tiling(), 4, rounds=4)
    costs = []
    for gone in combinations(range(8), 4):
        keep = np.ones((1, 8), np.bool_)
        keep[0, list(gone)] = False
        costs.append(task.cost(best_on(task, keep)))
    assert min(costs) <= task.cost(result.weights) + 1e-9
    assert task.cost(result.weights) <= sorted(costs)[3]  # of 70


def test_weights_that_are_absent_count_and_stay_absent() -> None:
    weights, task = random_problem(1)
    absent = np.zeros(weights.shape, np.bool_)
    absent[:, :4] = True
    result = prune_layer(task, Tiling(columns=4), 64, absent=absent)
    assert np.count_nonzero(~result.keep) == 64
    assert not result.keep[:, :4].any()
    kept = prune_layer(task, Tiling(columns=4), 16, absent=absent)
    np.testing.assert_array_equal(kept.keep, ~absent)  # more are absent than asked for


def test_no_zeros_give_the_best_dense_weights() -> None:
    weights, task = random_problem(2)
    np.testing.assert_allclose(prune_layer(task, Tiling(), 0).weights, weights, atol=1e-9)


def test_inputs_that_never_vary_leave_the_weights_as_they_were() -> None:
    weights = np.array([[1.0, -2.0, 3.0]])
    task = layer_problem(weights, np.zeros((5, 3)), np.zeros((5, 1)))
    np.testing.assert_array_equal(prune_layer(task, Tiling(), 1).weights, [[0.0, -2.0, 3.0]])


def test_equal_costs_go_in_memory_order() -> None:
    result = prune_layer(problem(np.eye(4), np.ones((2, 4))), Tiling(), 3, rounds=1)
    assert result.keep.astype(int).tolist() == [[0, 0, 0, 1], [1, 1, 1, 1]]
