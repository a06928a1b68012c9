"""Many conversions of one model side by side: how good each is, what it costs, and which are the best.

What is best is said by one half of the samples, validation; the figures that count are those of the other one, test,
which nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgesparse.missing import Missing
from edgesparse.record import Json, to_json
from edgesparse.report.judge import Estimate, Metric
from edgesparse.result import BoardFacts, Source
from edgesparse.settings import Settings

__all__ = ["COSTS", "SCHEMA", "Cost", "Figures", "Point", "Tradeoff", "front", "knee"]

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class Figures:
    """What a firmware costs, and how good it is on both halves."""

    validation: Estimate
    test: Estimate
    sparsity: float
    flash_bytes: int
    ram_bytes: int | Missing
    instructions: int | Missing
    cycles: int | Missing
    latency_ms: float | Missing


@dataclass(frozen=True)
class Point:
    """One conversion. command: what makes it again, alone. figures: missing with the reason where it did not work."""

    name: str
    settings: Settings
    command: str
    figures: Figures | Missing


@dataclass(frozen=True)
class Tradeoff:
    """What a sweep found out, and sweep.json holds.

    metric: top1 (with labels), mse (float targets), auc (anomalies), or without labels agreement or correlation with
    the float model. float, dense: of the float model and of the unpruned int8 firmware. fronts, knees: names of points,
    by cost.
    """

    schema: Literal[1]
    edgesparse: str
    source: Source
    board: BoardFacts
    data: str
    metric: Metric
    float: Estimate | Missing
    dense: Figures
    points: tuple[Point, ...]
    fronts: Mapping[str, tuple[str, ...]]
    knees: Mapping[str, str | Missing]
    warnings: tuple[str, ...]

    def to_json(self) -> Json:
        """The object of sweep.json."""
        return to_json(self)


@dataclass(frozen=True)
class Cost:
    """What a front is drawn against."""

    name: str
    title: str
    unit: str
    value: Callable[[Figures], int | float | Missing]


COSTS = {
    cost.name: cost
    for cost in (
        Cost("latency", "Latency (estimate)", "ms", lambda figures: figures.latency_ms),
        Cost("instructions", "Instructions", "", lambda figures: figures.instructions),
        Cost("flash", "Flash", "bytes", lambda figures: figures.flash_bytes),
        Cost("ram", "RAM", "bytes", lambda figures: figures.ram_bytes),
    )
}


def front(points: Sequence[Point], cost: Cost, metric: Metric) -> tuple[str, ...]:
    """Names of the points that no other one beats, the cheapest first: no cheaper one is as good on validation."""
    rated = [
        (value, _loss(point.figures, metric), number)
        for number, point in enumerate(points)
        if not isinstance(point.figures, Missing) and not isinstance(value := cost.value(point.figures), Missing)
    ]
    found, best = [], float("inf")
    for _, loss, number in sorted(rated):
        if loss < best:
            best = loss
            found.append(points[number].name)
    return tuple(found)


def knee(points: Sequence[Point], names: Sequence[str], cost: Cost, metric: Metric) -> str | Missing:
    """The point of a front where it bends most: farthest from the line between its ends, with both axes from 0 to 1.

    As in Satopaa et al., Finding a "Kneedle" in a haystack (2011), for few points.
    """
    if len(names) < 3:
        return Missing("a front of fewer than three points has no bend")
    figures = {point.name: point.figures for point in points}
    places = np.array([_place(figures[name], cost, metric) for name in names])
    scaled = (places - places.min(axis=0)) / (places.max(axis=0) - places.min(axis=0))
    below = 1 - scaled.sum(axis=1)
    if below.max() <= 0:
        return Missing("the front bends nowhere")
    return names[int(below.argmax())]


def _place(figures: Figures | Missing, cost: Cost, metric: Metric) -> tuple[float, float]:
    assert not isinstance(figures, Missing)
    value = cost.value(figures)
    assert not isinstance(value, Missing)
    return float(value), _loss(figures, metric)


def _loss(figures: Figures, metric: Metric) -> float:
    value = figures.validation.value
    return value if metric == "mse" else -value
