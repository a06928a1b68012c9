"""Patterns remove exactly the units of least magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesparse.sparsify import PATTERNS
from edgesparse.sparsify.patterns import pattern_named, zeros_for


def test_unstructured_removes_the_smallest_weights() -> None:
    weights = np.array([[4, -1, 3, 2], [-8, 7, 5, -6]], np.float32)
    keep = PATTERNS["unstructured"].mask(weights, 0.5)
    assert keep.tolist() == [[False, False, False, False], [True, True, True, True]]


def test_block1x4_removes_the_groups_with_the_smallest_sum() -> None:
    weights = np.array(
        [
            [1, 1, 1, 1, 0, 0, 0, 9],
            [2, 2, 2, 2, -3, -3, 0, 0],
        ],
        np.float32,
    )
    keep = PATTERNS["block1x4"].mask(weights, 0.5)
    assert keep.astype(int).tolist() == [
        [0, 0, 0, 0, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0, 0],
    ]


def test_block2x4_removes_the_pairs_of_rows_with_the_smallest_sum() -> None:
    weights = np.array(
        [
            [1, 1, 1, 1, 0, 0, 0, 9],
            [9, 0, 0, 0, 0, 0, 0, 0],
            [2, 2, 2, 2, -3, -3, 0, 0],
            [0, 0, 0, 0, -3, 0, 0, 0],
        ],
        np.float32,
    )
    keep = PATTERNS["block2x4"].mask(weights, 0.5)
    assert keep.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1, 1],
    ]


def test_block2x4_takes_inputs_in_fours_and_outputs_in_twos() -> None:
    assert PATTERNS["block2x4"].fits((8, 12)) is None
    assert PATTERNS["block2x4"].fits((8, 3, 3, 8)) is None
    assert PATTERNS["block2x4"].fits((8, 3, 3, 6)) == "block2x4 needs inputs % 4 == 0, got 6"
    assert PATTERNS["block2x4"].fits((8, 10)) == "block2x4 needs inputs % 4 == 0, got 10"
    assert PATTERNS["block2x4"].fits((9, 8)) == "block2x4 needs outputs % 2 == 0, got 9"


def test_block4x1_removes_the_fours_of_outputs_with_the_smallest_sum() -> None:
    weights = np.array(
        [
            [1, 9, 0],
            [1, 0, 0],
            [1, 0, 3],
            [1, 0, 3],
            [5, 0, 2],
            [0, 1, 2],
            [0, 1, 2],
            [0, 1, 0],
        ],
        np.float32,
    )
    keep = PATTERNS["block4x1"].mask(weights, 0.5)
    assert keep.astype(int).tolist() == [[0, 1, 1]] * 4 + [[0, 0, 1]] * 4
    assert PATTERNS["block4x1"].fits((8, 1, 1, 3)) is None
    assert PATTERNS["block4x1"].fits((10, 8)) == "block4x1 needs outputs % 4 == 0, got 10"


def test_n_of_m_keeps_the_largest_of_each_group() -> None:
    weights = np.array([[4, -1, 3, -8], [1, 1, 1, 1]], np.float32)
    pattern = pattern_named("nm=2:4")
    assert pattern.mask(weights, 0.5).astype(int).tolist() == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert pattern.mask(weights, 0.3).astype(int).tolist() == [[1, 0, 1, 1], [0, 1, 1, 1]]
    assert pattern.fits((8, 3, 3, 6)) == "nm=2:4 needs input channels % 4 == 0, got 6"
    assert pattern.fits((8, 8)) is None


def test_equal_weights_go_in_memory_order() -> None:
    keep = PATTERNS["unstructured"].mask(np.ones((2, 3), np.float32), 0.5)
    assert keep.astype(int).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_block1x4_needs_channels_in_fours() -> None:
    assert PATTERNS["block1x4"].fits((8, 3, 3, 8)) is None
    assert PATTERNS["block1x4"].fits((8, 10)) == "block1x4 needs input channels % 4 == 0, got 10"
    assert PATTERNS["unstructured"].fits((8, 10)) is None


@pytest.mark.parametrize(
    ("sparsity", "unit", "zeros"),
    [(0.0, 1, 0), (0.75, 1, 75), (0.751, 1, 76), (0.751, 4, 76), (0.74, 4, 76), (0.99, 4, 100)],
)
def test_zeros_are_rounded_up_to_whole_units(sparsity: float, unit: int, zeros: int) -> None:
    assert zeros_for(100, sparsity, unit) == zeros


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4).map(lambda n: 4 * n)),
    share=st.floats(0, 1),
    name=st.sampled_from(["block1x4", "unstructured"]),
    seed=st.integers(0, 100),
)
def test_kept_units_are_never_smaller_than_removed_ones(
    shape: tuple[int, ...], share: float, name: str, seed: int
) -> None:
    weights = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    pattern = PATTERNS[name]
    zeros = int(share * (weights.size // pattern.unit)) * pattern.unit
    keep = pattern.mask(weights, zeros / weights.size)
    assert keep.shape == weights.shape
    assert np.count_nonzero(~keep) == zeros
    scores = np.abs(weights.astype(np.float64)).reshape(-1, pattern.unit).sum(axis=1)
    kept = keep.reshape(-1, pattern.unit)
    assert np.all(kept.all(axis=1) | ~kept.any(axis=1))
    if 0 < zeros < weights.size:
        assert scores[kept[:, 0]].min() >= scores[~kept[:, 0]].max()
