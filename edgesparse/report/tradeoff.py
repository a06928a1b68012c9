"""Many conversions of one model side by side: how good each is, what it costs, and which are the best.

What is best is said by one half of the samples, validation; the figures that count are those of the other one, test,
which nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.missing import Missing
from edgesparse.record import Json, to_json
from edgesparse.report.fidelity import compare_outputs
from edgesparse.result import BoardFacts, Source
from edgesparse.settings import Settings

__all__ = ["COSTS", "SCHEMA", "Cost", "Estimate", "Figures", "Judge", "Metric", "Point", "Tradeoff", "front", "knee"]

SCHEMA: Literal[1] = 1
Metric: TypeAlias = Literal["top1", "mse", "agreement", "correlation"]

_Z = 1.959963984540054
"""Of 95 % of a normal distribution."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure of `samples` samples, with its 95 % interval."""

    value: float
    low: float
    high: float
    samples: int


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

    metric: top1 (with labels), mse (float targets), or without labels agreement or correlation with the float model.
    float, dense: of the float model and of the unpruned int8 firmware. fronts, knees: names of points, by cost.
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


@dataclass(frozen=True, eq=False)
class Judge:
    """Says how good outputs are. labels: integer classes [n], float targets [n, ...], or None.

    reference: the float model's outputs [n, ...] for the same samples. classes: whether outputs are class scores.
    """

    reference: FloatArray
    labels: npt.NDArray[Any] | None
    classes: bool
    seed: int

    @property
    def metric(self) -> Metric:
        """What is measured."""
        if self.labels is None:
            return "agreement" if self.classes else "correlation"
        return "top1" if self.labels.dtype.kind == "i" else "mse"

    def halves(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Indices of the validation and of the test samples, by the seed."""
        order = np.random.default_rng([self.seed, 1]).permutation(len(self.reference))
        return np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])

    def estimate(self, outputs: FloatArray, chosen: npt.NDArray[np.intp]) -> Estimate:
        """Of the chosen samples. Wilson's interval where samples are right or wrong, else bootstrap's (percentiles)."""
        ours, theirs = (x[chosen].reshape(len(chosen), -1) for x in (outputs, self.reference))
        if self.metric in ("top1", "agreement"):
            return _wilson(self._hits(ours, theirs, chosen))
        if self.labels is not None:
            errors = ((ours.astype(np.float64) - self.labels[chosen].reshape(len(chosen), -1)) ** 2).mean(axis=1)
            return _bootstrap(len(errors), lambda index: float(errors[index].mean()), self.seed)
        return _bootstrap(
            len(ours),
            lambda index: compare_outputs(ours[index], theirs[index], classes=False).correlation,
            self.seed,
        )

    def _hits(self, ours: FloatArray, theirs: FloatArray, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        wanted = _classes_of(theirs) if self.labels is None else self.labels[chosen]
        hits: npt.NDArray[np.bool_] = _classes_of(ours) == wanted
        return hits


def _classes_of(scores: FloatArray) -> npt.NDArray[np.int64]:
    """Of [n, classes]; one output alone says yes above 0.5."""
    if scores.shape[1] > 1:
        largest: npt.NDArray[np.int64] = scores.argmax(axis=1).astype(np.int64)
        return largest
    return (scores[:, 0] > 0.5).astype(np.int64)


def _wilson(hits: npt.NDArray[np.bool_]) -> Estimate:
    """E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927)."""
    n, share = len(hits), float(hits.mean())
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * float(np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)))
    return _rounded(share, max(middle - half, 0.0), min(middle + half, 1.0), n)


def _bootstrap(n: int, figure: Callable[[npt.NDArray[np.intp]], float], seed: int) -> Estimate:
    rng = np.random.default_rng([seed, 2])
    drawn = [figure(rng.integers(0, n, n)) for _ in range(_RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return _rounded(figure(np.arange(n)), float(low), float(high), n)


def _rounded(value: float, low: float, high: float, samples: int) -> Estimate:
    return Estimate(round(value, 8), round(low, 8), round(high, 8), samples)


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
