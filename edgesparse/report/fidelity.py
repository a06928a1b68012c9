"""How close outputs are: to the float model, and to the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.result import OutputDistance

__all__ = ["USABLE", "closeness", "compare_outputs", "score", "usable"]

USABLE = 0.9
"""Agreement or correlation with the float model under which a network is called not usable."""


def compare_outputs(outputs: FloatArray, reference: FloatArray, *, classes: bool) -> OutputDistance:
    """Figures of [n, ...] outputs against the float model's. classes: whether they are class scores.

    The correlation is 1.0 where both are constant and equal.
    """
    ours = outputs.reshape(len(outputs), -1).astype(np.float64)
    theirs = reference.reshape(len(reference), -1).astype(np.float64)
    return OutputDistance(
        top1_agreement=_rounded(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))) if classes else None,
        correlation=_rounded(_correlation(ours.ravel(), theirs.ravel())),
        mean_abs_error=_rounded(np.mean(np.abs(ours - theirs))),
        max_abs_error=_rounded(np.max(np.abs(ours - theirs))),
    )


def closeness(distance: OutputDistance) -> tuple[str, float]:
    """What counts of the figures, with its name: agreement; the correlation where there are no classes."""
    if distance.top1_agreement is not None:
        return "top1_agreement", distance.top1_agreement
    return "correlation", distance.correlation


def usable(distance: OutputDistance) -> bool:
    """Whether closeness reaches USABLE."""
    return closeness(distance)[1] >= USABLE


def score(outputs: FloatArray, y: npt.NDArray[Any]) -> float:
    """top-1 accuracy for integer y [n], mean squared error for float y [n, ...]."""
    flat = outputs.reshape(len(outputs), -1)
    if y.dtype.kind == "i":
        predicted = flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)
        return round(float(np.mean(predicted == y)), 6)
    return round(float(np.mean((flat.astype(np.float64) - y.reshape(len(y), -1)) ** 2)), 8)


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 6)


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms == 0.0:
        return 1.0 if np.allclose(a, b) else 0.0
    return float(np.dot(a, b) / norms)
