"""How good outputs are, on samples: a figure with its interval, and what one network loses against another.

One half of the samples is for choosing, validation; the other one, test, for figures that nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.report.fidelity import compare_outputs

__all__ = ["Estimate", "Judge", "Loss", "Metric"]

Metric: TypeAlias = Literal["top1", "mse", "auc", "agreement", "correlation"]
Index: TypeAlias = npt.NDArray[np.intp]

_Z = 1.959963984540054
"""Of 95 % of a normal distribution."""
_RESAMPLES = 1000
_PAIRED_RESAMPLES = 200


@dataclass(frozen=True)
class Estimate:
    """A figure of `samples` samples, with its 95 % interval."""

    value: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True)
class Loss:
    """What is lost against another network on the same samples, in points (0.01); negative for a gain.

    Points are of accuracy, agreement, AUC or correlation; of a mean squared error, hundredths of the targets' variance.
    error: its standard error, by the samples on which the two differ.
    """

    points: float
    error: float


@dataclass(frozen=True, eq=False)
class Judge:
    """Says how good outputs are. labels: integer classes [n], float targets [n, ...], or None.

    reference: the float model's outputs [n, ...] for the same samples. classes: whether outputs are class scores.
    anomaly: bool [n], which samples are to be told from the others by their squared error against float targets.
    """

    reference: FloatArray
    labels: npt.NDArray[Any] | None
    classes: bool
    seed: int
    anomaly: npt.NDArray[np.bool_] | None = None

    @property
    def metric(self) -> Metric:
        """What is measured."""
        if self.anomaly is not None:
            return "auc"
        if self.labels is None:
            return "agreement" if self.classes else "correlation"
        return "top1" if self.labels.dtype.kind == "i" else "mse"

    def halves(self) -> tuple[Index, Index]:
        """Indices of the validation and of the test samples, by the seed."""
        order = np.random.default_rng([self.seed, 1]).permutation(len(self.reference))
        return np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])

    def estimate(self, outputs: FloatArray, chosen: Index) -> Estimate:
        """Of the chosen samples. Wilson's interval where samples are right or wrong, else bootstrap's (percentiles)."""
        if self._counts:
            return _wilson(self._hits(outputs, chosen))
        figure = self._figure(outputs, chosen)
        rng = np.random.default_rng([self.seed, 2])
        drawn = [figure(rng.integers(0, len(chosen), len(chosen))) for _ in range(_RESAMPLES)]
        low, high = np.quantile(drawn, [0.025, 0.975])
        return _rounded(figure(np.arange(len(chosen))), float(low), float(high), len(chosen))

    def loss(self, outputs: FloatArray, other: FloatArray, chosen: Index) -> Loss:
        """Of `outputs` against those of `other`, both [n, ...], on the chosen samples."""
        n = len(chosen)
        if self._counts:
            ours, theirs = self._hits(outputs, chosen), self._hits(other, chosen)
            # One more that differs: no difference among few samples is no proof that there is none.
            error = float(np.sqrt(np.count_nonzero(ours != theirs) + 1)) / n
            return Loss(100 * (float(theirs.mean()) - float(ours.mean())), 100 * error)
        ours_of, theirs_of = self._figure(outputs, chosen), self._figure(other, chosen)
        scale = -1.0
        if self.metric == "mse":
            assert self.labels is not None
            scale = 1.0 / max(float(np.var(self.labels[chosen])), 1e-12)
        rng = np.random.default_rng([self.seed, 3])
        rows = [rng.integers(0, n, n) for _ in range(_PAIRED_RESAMPLES)]
        drawn = [scale * (ours_of(index) - theirs_of(index)) for index in rows]
        whole = scale * (ours_of(np.arange(n)) - theirs_of(np.arange(n)))
        return Loss(100 * whole, 100 * float(np.std(drawn)))

    @property
    def _counts(self) -> bool:
        """Whether a sample is right or wrong."""
        return self.metric in ("top1", "agreement")

    def _hits(self, outputs: FloatArray, chosen: Index) -> npt.NDArray[np.bool_]:
        ours, theirs = (x[chosen].reshape(len(chosen), -1) for x in (outputs, self.reference))
        wanted = _classes_of(theirs) if self.labels is None else self.labels[chosen]
        hits: npt.NDArray[np.bool_] = _classes_of(ours) == wanted
        return hits

    def _figure(self, outputs: FloatArray, chosen: Index) -> Callable[[Index], float]:
        """The metric of rows among the chosen samples."""
        ours, theirs = (x[chosen].reshape(len(chosen), -1) for x in (outputs, self.reference))
        if self.labels is None:
            return lambda index: compare_outputs(ours[index], theirs[index], classes=False).correlation
        errors = ((ours.astype(np.float64) - self.labels[chosen].reshape(len(chosen), -1)) ** 2).mean(axis=1)
        if self.anomaly is None:
            return lambda index: float(errors[index].mean())
        unusual = self.anomaly[chosen]
        return lambda index: area_under_curve(errors[index], unusual[index])


def area_under_curve(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Chance that a positive sample scores higher than another one, 0 to 1; 0.5 where one kind is missing.

    The area under the ROC curve, as the statistic of Mann and Whitney (1947): equal scores count half.
    """
    others, ours = np.sort(scores[~positive]), scores[positive]
    if not len(others) or not len(ours):
        return 0.5
    below, upto = np.searchsorted(others, ours, "left"), np.searchsorted(others, ours, "right")
    return float((below + upto).mean() / (2 * len(others)))


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


def _rounded(value: float, low: float, high: float, samples: int) -> Estimate:
    return Estimate(round(value, 8), round(low, 8), round(high, 8), samples)
