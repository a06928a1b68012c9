"""How close outputs are: to the float model, and to the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray

__all__ = ["USABLE", "compare_outputs", "score", "usable"]

USABLE = 0.9
"""Agreement or correlation with the float model under which a network is called not usable."""


def compare_outputs(outputs: FloatArray, reference: FloatArray, *, classes: bool) -> dict[str, float]:
    """Figures of [n, ...] outputs against the float model's.

    `top1_agreement` (only where the outputs are class scores), `correlation` (1.0 where both are constant),
    `mean_abs_error`, `max_abs_error`.
    """
    ours = outputs.reshape(len(outputs), -1).astype(np.float64)
    theirs = reference.reshape(len(reference), -1).astype(np.float64)
    figures: dict[str, float] = {}
    if classes:
        figures["top1_agreement"] = float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1)))
    figures["correlation"] = _correlation(ours.ravel(), theirs.ravel())
    figures["mean_abs_error"] = float(np.mean(np.abs(ours - theirs)))
    figures["max_abs_error"] = float(np.max(np.abs(ours - theirs)))
    return {name: round(value, 6) for name, value in figures.items()}


def usable(figures: dict[str, float]) -> bool:
    """Whether agreement with the float model (correlation where there are no classes) reaches USABLE."""
    return figures.get("top1_agreement", figures["correlation"]) >= USABLE


def score(outputs: FloatArray, y: npt.NDArray[Any]) -> float:
    """top-1 accuracy for integer y [n], mean squared error for float y [n, ...]."""
    flat = outputs.reshape(len(outputs), -1)
    if y.dtype.kind == "i":
        predicted = flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)
        return round(float(np.mean(predicted == y)), 6)
    return round(float(np.mean((flat.astype(np.float64) - y.reshape(len(y), -1)) ** 2)), 8)


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    if norms == 0.0:
        return 1.0 if np.allclose(a, b) else 0.0
    return float(np.dot(a, b) / norms)
