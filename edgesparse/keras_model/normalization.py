"""Batch normalizations follow what pruning does to their inputs, or give their scales to the layer before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.loaded import input_shape, iter_layers
from edgesparse.keras_model.observe import Step, run_with

__all__ = ["Moments", "absorb", "follow", "moments", "normalizations", "normalized", "unscale"]

_IN_TRAINING_ONLY = frozenset({"Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization"})


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


def normalized(model: Any, kind: str) -> dict[str, Any]:
    """The batch normalization behind each layer of a class, by that layer's path, where nothing else reads the layer.

    The converter folds its scales into the layer's weights. Found by running the model once.
    """
    source: dict[int, str] = {}
    alive: list[Any] = []  # so that no two tensors have one id
    found: dict[str, Any] = {}
    norms = normalizations(model)
    layers = dict(iter_layers(model))

    def watched(path: str, layer: Any) -> Step:
        def step(x: Any, compute: Callable[[Any], Any]) -> Any:
            outputs = compute(x)
            alive.extend([x, outputs])
            linear = getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"
            if type(layer).__name__ == kind and linear and len(layer._outbound_nodes) <= 1:
                source[id(outputs)] = path
            elif id(x) in source and type(layer).__name__ in _IN_TRAINING_ONLY:
                source[id(outputs)] = source[id(x)]
            elif id(x) in source and path in norms:
                found[source[id(x)]] = layer
            return outputs

        return step

    kinds = {kind, "BatchNormalization", *_IN_TRAINING_ONLY}
    steps = {path: (layer, watched(path, layer)) for path, layer in layers.items() if type(layer).__name__ in kinds}
    with quiet():
        run_with(model, tensorflow().zeros((1, *input_shape(model))), steps)
    uses = [id(norm) for norm in found.values()]
    return {path: norm for path, norm in found.items() if uses.count(id(norm)) == 1}


def absorb(layer: Any, norm: Any) -> None:
    """Give a normalization's scales to the weights of the layer before it, in place; both together give the same.

    layer: with outputs along the last axis of its kernel, and no activation. The normalization then only adds.
    """
    gamma = norm.gamma.numpy() if norm.scale else 1.0
    factor = gamma / np.sqrt(norm.moving_variance.numpy().astype(np.float64) + norm.epsilon)
    bias = layer.bias.numpy() if layer.use_bias else 0.0
    layer.kernel.assign((layer.kernel.numpy() * factor).astype(np.float32))
    norm.moving_mean.assign((factor * (norm.moving_mean.numpy() - bias)).astype(np.float32))
    if layer.use_bias:
        layer.bias.assign(np.zeros(layer.bias.shape, np.float32))
    unscale(norm)


def unscale(norm: Any) -> None:
    """Make a normalization's scales 1, in place."""
    norm.moving_variance.assign(np.full(norm.moving_variance.shape, 1.0 - norm.epsilon, np.float32))
    if norm.scale:
        norm.gamma.assign(np.ones(norm.gamma.shape, np.float32))
