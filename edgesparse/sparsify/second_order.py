"""Second-order pruning of one layer: remove what costs least, and let the weights that stay make up for it.

A layer maps inputs x to outputs y = W x. Over calibration inputs, W' instead of W costs, per output row w,

    (w' - t) H (w' - t)',   H = mean of x x' + damping,   t the row that costs nothing

which is exact, since a layer is linear in its weights. With A the inverse of H over the weights that a row still has,
removing the weights S of that row, the others free to move, costs  w_S (A_SS)^-1 w_S'  and the best others follow from
H: Hassibi and Stork, "Optimal brain surgeon" (1993); layer by layer as in Frantar and Alistarh, "Optimal brain
compression" (2022). Rows share H and differ in A. Removal goes in rounds over all rows together: a round scores every
unit, removes the cheapest, and solves each row anew, so that no error adds up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgesparse.sparsify.patterns import Tiling

__all__ = ["LayerProblem", "PrunedLayer", "layer_problem", "prune_layer"]

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DAMPING = 0.01
"""Added to the diagonal of H, as a share of its mean: keeps H regular and the weights near the trained ones."""

DAMPING_PER_INPUT = 0.1
"""The same once more, times d / n: the fewer rows of inputs per weight, the less is known about H."""

ROUNDS = 16
"""Rounds of a removal. More come close to one unit at a time, and cost as many times more."""


@dataclass(frozen=True, eq=False)
class LayerProblem:
    """A layer's quadratic: hessian [d, d], damped; correlation [d, out] = hessian @ (the weights that cost nothing)."""

    hessian: Array
    correlation: Array

    def cost(self, weights: Array) -> float:
        """What weights [out, d] cost more than the best: mean squared error of the outputs, summed over them."""
        best = _solve(self.hessian, self.correlation).T
        difference = weights - best
        return float(np.einsum("oi,ij,oj->", difference, self.hessian, difference, optimize=True))


@dataclass(frozen=True, eq=False)
class PrunedLayer:
    """weights [out, d], zero where not `keep` [out, d]. path: (zeros, cost) after each round, as LayerProblem.cost."""

    weights: Array
    keep: BoolArray
    path: tuple[tuple[int, float], ...]


def layer_problem(weights: Array, inputs: Array, outputs: Array) -> LayerProblem:
    """The quadratic of weights [out, d] that should give outputs [n, out] for inputs [n, d].

    Centre inputs and outputs first where a bias, or the mean of a batch normalization, takes the means. The damping
    draws towards `weights`: what the inputs say nothing about stays as it was trained.
    """
    hessian = inputs.T @ inputs / len(inputs)
    correlation = inputs.T @ outputs / len(inputs)
    damping = DAMPING + DAMPING_PER_INPUT * inputs.shape[1] / len(inputs)
    strength = damping * float(np.trace(hessian)) / len(hessian)
    # A layer whose inputs are all zero has no preference: any positive damping keeps its weights.
    strength = strength if strength > 0 else 1.0
    hessian[np.diag_indices_from(hessian)] += strength
    return LayerProblem(hessian, correlation + strength * weights.T)


def prune_layer(
    problem: LayerProblem, tiling: Tiling, zeros: int, *, absent: BoolArray | None = None, rounds: int = ROUNDS
) -> PrunedLayer:
    """Remove whole units until `zeros` weights are zero, and give the best weights [out, d] for those that stay.

    zeros: a multiple of the unit, at most what the tiling may lose; where groups have a limit, all lose the same.
    absent [out, d]: weights that are zero to begin with; units of nothing else count as removed, and stay so even
    where there are more of them than `zeros`. Ties go to the first in memory order: same arguments, same result.
    """
    width, outputs = problem.correlation.shape
    bands, units = outputs // tiling.rows, width // tiling.columns
    if tiling.group > 1:
        tiling = replace(tiling, removable=min(tiling.removable, zeros // (bands * units // tiling.group)))
    keep = np.ones((bands, units), np.bool_)
    if absent is not None:
        keep = ~absent.reshape(bands, tiling.rows, units, tiling.columns).all(axis=(1, 3))
    best = _solve(problem.hessian, problem.correlation).T
    whole = _inverse(problem.hessian)
    needed = _needed(keep, tiling, zeros)
    removed, path = 0, []
    for done in range(1, rounds + keep.size + 1):
        weights, scores = _solve_rows(problem, whole, best, keep, tiling, scored=removed < needed)
        difference = weights - best
        gone = int(np.count_nonzero(~keep)) * tiling.rows * tiling.columns
        path.append((gone, float(np.einsum("oi,oi->", difference @ problem.hessian, difference))))
        if removed >= needed:
            break
        due = math.ceil(needed * min(done / rounds, 1.0))
        chosen = _cheapest(_allowed(scores, tiling), max(1, due - removed))
        keep.flat[chosen] = False
        removed += len(chosen)
    return PrunedLayer(weights, np.repeat(np.repeat(keep, tiling.rows, axis=0), tiling.columns, axis=1), tuple(path))


def _needed(keep: BoolArray, tiling: Tiling, zeros: int) -> int:
    """Units still to remove. Where groups have a limit, every group loses as many as the tiling lets it."""
    if tiling.group > 1:
        gone = np.count_nonzero(~keep.reshape(-1, tiling.group), axis=1)
        return int(np.maximum(tiling.removable - gone, 0).sum())
    return max(0, math.ceil(zeros / (tiling.rows * tiling.columns)) - int(np.count_nonzero(~keep)))


def _solve_rows(
    problem: LayerProblem, whole: Array, best: Array, keep: BoolArray, tiling: Tiling, *, scored: bool
) -> tuple[Array, Array]:
    """The best weights [out, d] in the units that are left, and what each unit [bands, units] costs to remove.

    whole: inverse of H; best: the weights with every unit. The cost is infinite for units that are gone, and for all of
    them unless `scored`.
    """
    bands, units = keep.shape
    targets = problem.correlation.T.reshape(bands, tiling.rows, -1)
    dense = best.reshape(targets.shape)
    weights = np.zeros_like(dense)
    scores = np.full((bands, units), np.inf)
    for band in range(bands):
        kept = np.flatnonzero(keep[band])
        at = np.flatnonzero(np.repeat(keep[band], tiling.columns))
        gone = np.flatnonzero(np.repeat(~keep[band], tiling.columns))
        columns = at.reshape(len(kept), tiling.columns)
        if not len(at):
            continue
        if len(gone) < len(at):
            # Less work than an inverse of what is kept: take back from the whole one what is gone (Schur complement).
            cross = whole[np.ix_(gone, at)]
            share = _solve(whole[np.ix_(gone, gone)], np.hstack([cross, dense[band][:, gone].T]))
            weights[band][:, at] = dense[band][:, at] - (cross.T @ share[:, len(at) :]).T
            pieces = (len(gone), len(kept), tiling.columns)
            lost = np.einsum("gkc,gke->kce", cross.reshape(pieces), share[:, : len(at)].reshape(pieces))
            blocks = whole[columns[:, :, np.newaxis], columns[:, np.newaxis]] - lost
        elif scored:
            inverse = _inverse(problem.hessian[np.ix_(at, at)])
            weights[band][:, at] = targets[band][:, at] @ inverse
            index = np.arange(len(kept))
            blocks = inverse.reshape(len(kept), tiling.columns, len(kept), tiling.columns)[index, :, index]
        else:
            weights[band][:, at] = _solve(problem.hessian[np.ix_(at, at)], targets[band][:, at].T).T
        if scored:
            parts = weights[band][:, at].reshape(tiling.rows, len(kept), tiling.columns).transpose(1, 2, 0)
            scores[band, kept] = np.sum(parts * np.linalg.solve(blocks, parts), axis=(1, 2))
    return weights.reshape(best.shape), scores


def _allowed(scores: Array, tiling: Tiling) -> Array:
    """Infinite where a group may lose no more; of a group with a limit, one unit a round, since the rest changes."""
    if tiling.group == 1:
        return scores
    groups = scores.reshape(len(scores), -1, tiling.group)
    gone = np.count_nonzero(np.isinf(groups), axis=2, keepdims=True)
    first = np.argmin(groups, axis=2, keepdims=True)
    allowed = np.full(groups.shape, np.inf)
    np.put_along_axis(allowed, first, np.take_along_axis(groups, first, axis=2), axis=2)
    return np.where(gone >= tiling.removable, np.inf, allowed).reshape(scores.shape)


def _cheapest(scores: Array, count: int) -> npt.NDArray[np.intp]:
    order = np.argsort(scores, axis=None, kind="stable")[:count]
    result: npt.NDArray[np.intp] = order[np.isfinite(scores.reshape(-1)[order])]
    return result


def _solve(matrix: Array, right: Array) -> Array:
    """matrix @ result = right for a symmetric positive definite matrix."""
    result: Array = np.linalg.solve(matrix, right)
    return result


def _inverse(matrix: Array) -> Array:
    """The inverse of a symmetric positive definite matrix, exactly symmetric."""
    result: Array = np.linalg.inv(matrix)
    return (result + result.T) / 2
