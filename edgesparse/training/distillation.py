"""The losses of fine-tuning: towards the unpruned model's outputs, towards labels, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgesparse.keras_model.backend import tensorflow, tf_keras
from edgesparse.keras_model.check_data import Labels
from edgesparse.keras_model.loaded import final_activation, output_shape

__all__ = ["Loss", "distillation_loss", "label_loss", "label_targets"]

Loss = Callable[..., Any]
"""(targets, outputs of the model) -> scalar tensor; that of labels takes sample_weight too."""

_TEMPERATURE = 2.0
"""Of softened class probabilities: what is wrong is told apart as well (Hinton et al., 2015)."""
_SMALLEST = 1e-7
"""Probabilities below are as good as zero."""


def distillation_loss(model: Any, scale: float) -> Loss:
    """From the outputs of the unpruned model as targets.

    Softmax: cross-entropy of softened probabilities. Sigmoid: binary cross-entropy. Anything else: mean squared error,
    divided by `scale`, the variance of the targets.
    """
    tf = tensorflow()
    activation = final_activation(model)

    def soft(probabilities: Any) -> Any:
        return tf.math.log(tf.maximum(probabilities, _SMALLEST)) / _TEMPERATURE

    def classes(targets: Any, outputs: Any) -> Any:
        wanted = tf.nn.softmax(soft(targets))
        got = tf.nn.log_softmax(soft(outputs))
        divergence = tf.reduce_sum(wanted * (tf.nn.log_softmax(soft(targets)) - got), axis=-1)
        return _TEMPERATURE**2 * tf.reduce_mean(divergence)

    def values(targets: Any, outputs: Any) -> Any:
        return tf.reduce_mean(tf.square(targets - outputs)) / max(scale, 1e-12)

    if activation == "softmax":
        return classes
    if activation == "sigmoid":
        binary: Loss = tf_keras().losses.BinaryCrossentropy()
        return binary
    return values


def label_loss(model: Any, y: Labels) -> Loss:
    """Cross-entropy for class numbers, mean squared error for float targets."""
    losses = tf_keras().losses
    activation = final_activation(model)
    loss: Loss
    if np.issubdtype(y.dtype, np.floating):
        loss = losses.MeanSquaredError()
    elif output_shape(model) == (1,):
        loss = losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    else:
        loss = losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")
    return loss


def label_targets(model: Any, y: Labels) -> Labels:
    """Labels in the shape and dtype that label_loss wants."""
    if np.issubdtype(y.dtype, np.floating):
        return np.asarray(y, dtype=np.float32).reshape(len(y), *output_shape(model))
    shape = (len(y), 1) if output_shape(model) == (1,) else (len(y),)
    return np.asarray(y).reshape(shape).astype(np.int64)
