"""How a global number of zeros is shared out: by what each layer loses, and by what the device gains.

Each layer has a curve of the loss over its zeros, and one of the instructions (or bytes) that the device then needs.
Of all ways to share the zeros out, the one of least total loss comes first; then the device may pull zeros to where
they save most, as long as the total loss rises by no more than LOSS_TOLERANCE of itself. Both are one problem, the sum
of the losses plus a price times the sum of the instructions, on the lower convex hulls of the layers' curves
(Lagrangian relaxation; Shoham and Gersho, 1988, for bits); the price is found by bisection.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgesparse.sparsify.patterns import NOfM, pattern_named
from edgesparse.sparsify.plan import Curve, LayerPlan, Part, SparsityPlan, max_units, whole_units

__all__ = ["LOSS_TOLERANCE", "reallocate"]

LOSS_TOLERANCE = 0.1
"""By how much the total loss may rise for the device's sake: the sum of what layers lose says no more than that about
what the network loses."""

_HALVINGS = 40
_HIGHEST_PRICE = 1e6
"""Of all the network's instructions, in units of the loss: only the device counts."""


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer that has a choice: what it can give, its loss and its cost on the device at `zeros`."""

    part: Part
    zeros: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]
    cost: npt.NDArray[np.float64]

    def loss_at(self, zeros: float) -> float:
        return float(np.interp(zeros, self.zeros, self.loss))


def reallocate(plan: SparsityPlan, losses: Mapping[str, Curve]) -> SparsityPlan:
    """The same plan with its zeros shared out so that the layers lose least, and the device (plan.costs) gains by it.

    losses: layer path -> curve, up to all that a layer may lose. A layer without one keeps its sparsity, as does every
    layer of an N:M pattern, which leaves no choice. The total stays at least the plan's target, and above it by less
    than a unit.
    """
    free = [
        layer
        for layer in plan.layers
        if layer.pattern is not None and layer.name in losses and not isinstance(pattern_named(layer.pattern), NOfM)
    ]
    if len(free) < 2:
        return plan
    fixed = sum(round(layer.sparsity * layer.weights) for layer in plan.layers if layer not in free)
    needed = math.ceil(round(plan.target * plan.prunable_weights, 6)) - fixed
    costs = plan.costs()
    layers = [_layer(layer, losses[layer.name], costs.get(layer.name, ())) for layer in free]
    zeros = _share(layers, needed)
    units = whole_units(
        [layer.part for layer in layers],
        [value / layer.part.unit for value, layer in zip(zeros, layers, strict=True)],
        needed,
    )
    given = {plan.name: count * layer.part.unit for plan, count, layer in zip(free, units, layers, strict=True)}
    changed = tuple(
        replace(
            layer,
            sparsity=given[layer.name] / layer.weights,
            pattern=layer.pattern if given[layer.name] else None,
        )
        if layer.name in given
        else layer
        for layer in plan.layers
    )
    return replace(plan, layers=changed, sparsity=(fixed + sum(given.values())) / plan.prunable_weights)


def _layer(plan: LayerPlan, loss: Curve, cost: Curve) -> _Layer:
    unit = pattern_named(plan.pattern or "").unit
    part = Part(unit, max_units(plan.weights // unit))
    most = part.most * unit
    inside = {zeros for zeros, _ in (*loss, *cost) if 0 < zeros < most}
    zeros = np.array(sorted({0, most} | inside), dtype=np.float64)
    lost = np.interp(zeros, *_columns([(0, 0.0), *((at, value) for at, value in loss if at > 0)]))
    needs = np.interp(zeros, *_columns(cost)) if cost else np.zeros(len(zeros))
    return _Layer(part, zeros, np.maximum.accumulate(np.maximum(lost, 0.0)), needs)


def _columns(curve: Curve) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    points = np.array(curve, dtype=np.float64)
    return points[:, 0], points[:, 1]


def _share(layers: Sequence[_Layer], needed: int) -> list[float]:
    """Zeros per layer, `needed` in all."""
    zeros = _cheapest(layers, needed, 0.0)
    total = sum(float(layer.cost[0]) for layer in layers)
    if total <= 0.0:
        return zeros
    limit = (1 + LOSS_TOLERANCE) * _loss(layers, zeros)
    low, high = 0.0, 1.0
    while high < _HIGHEST_PRICE and _loss(layers, _cheapest(layers, needed, high / total)) <= limit:
        low, high = high, high * 10
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = _cheapest(layers, needed, middle / total)
        if _loss(layers, tried) <= limit:
            low, zeros = middle, tried
        else:
            high = middle
    return zeros


def _loss(layers: Sequence[_Layer], zeros: Sequence[float]) -> float:
    return sum(layer.loss_at(value) for layer, value in zip(layers, zeros, strict=True))


def _cheapest(layers: Sequence[_Layer], needed: int, price: float) -> list[float]:
    """The zeros per layer, `needed` in all, of least loss + price * cost."""
    segments = sorted(
        (slope, index, length)
        for index, layer in enumerate(layers)
        for slope, length in _segments(layer.zeros, layer.loss + price * layer.cost)
    )
    zeros = [0.0] * len(layers)
    rest = float(needed)
    for _, index, length in segments:
        taken = min(rest, length)
        zeros[index] += taken
        rest -= taken
    return zeros


def _segments(zeros: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """The lower convex hull of a curve, as (slope, zeros) with rising slopes."""
    hull: list[tuple[float, float]] = []
    for point in zip(zeros.tolist(), values.tolist(), strict=True):
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return [(_slope(a, b), b[0] - a[0]) for a, b in itertools.pairwise(hull)]


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])
