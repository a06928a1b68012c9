"""Made-up calibration inputs, for a model that comes without data."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgesparse.graph import FloatArray
from edgesparse.keras_model.loaded import iter_layers

__all__ = ["synthetic_inputs"]


def synthetic_inputs(shape: tuple[int, ...], n: int, seed: int, *, model: Any | None = None) -> FloatArray:
    """Made-up inputs [n, *shape] float32 for a model without data.

    Standard normal, as after the usual preprocessing. Where the model's first layer does that itself, inputs are
    made for it: uniform over the range that Rescaling maps to its unit range, or normal with Normalization's mean
    and variance. Ranges from such inputs are a guess: accuracy may suffer, and the caller must say so.
    """
    generator = np.random.default_rng(seed)
    first = (
        next((layer for _, layer in iter_layers(model) if type(layer).__name__ != "InputLayer"), None)
        if model is not None
        else None
    )
    kind = type(first).__name__
    values = generator.standard_normal((n, *shape))
    if first is not None and kind == "Rescaling":
        scale, offset = np.asarray(first.scale, dtype=np.float64), np.asarray(first.offset, dtype=np.float64)
        lowest = np.where(offset < 0, -1.0, 0.0)
        values = (generator.uniform(0.0, 1.0, (n, *shape)) * (1.0 - lowest) + lowest - offset) / scale
    elif first is not None and kind == "Normalization":
        mean, deviation = np.asarray(first.mean), np.sqrt(np.asarray(first.variance))
        values = values * deviation + mean
    return values.astype(np.float32)
