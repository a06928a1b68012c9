"""Batch normalizations follow what pruning does to their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.loaded import iter_layers

__all__ = ["Moments", "follow", "moments", "normalizations"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and variance per channel, float64."""

    mean: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]


def moments(values: npt.NDArray[np.float32]) -> Moments:
    """Of values [..., channels]."""
    rows = values.reshape(-1, values.shape[-1])
    return Moments(rows.mean(axis=0, dtype=np.float64), rows.var(axis=0, dtype=np.float64))


def normalizations(model: Any) -> dict[str, Any]:
    """The batch normalizations of a tf_keras model over the last axis, by path."""
    return {
        path: layer
        for path, layer in iter_layers(model)
        if type(layer).__name__ == "BatchNormalization" and list(layer.axis) == [layer.input_spec.ndim - 1]
    }


def follow(norm: Any, before: Moments, after: Moments) -> None:
    """Change a normalization's statistics as its inputs changed on the calibration samples, in place.

    They are not replaced by those of the samples: training found them over far more.
    """
    epsilon = float(norm.epsilon)
    ratio = (after.variance + epsilon) / (before.variance + epsilon)
    mean = norm.moving_mean.numpy().astype(np.float64) + after.mean - before.mean
    variance = (norm.moving_variance.numpy().astype(np.float64) + epsilon) * ratio - epsilon
    norm.moving_mean.assign(mean.astype(np.float32))
    norm.moving_variance.assign(np.maximum(variance, 0.0).astype(np.float32))
