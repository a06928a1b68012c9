"""Pruning while training: TF-MOT's schedule says how sparse to be at each step, our patterns say where.

TF-MOT's own pruning wrapper takes blocks on rank-2 weights only, so its schedule is used and its wrapper is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgesparse.errors import DataError, SettingsError
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras, tfmot
from edgesparse.keras_model.loaded import final_activation, output_shape
from edgesparse.sparsify.data import Labels, Training
from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.masks import Masks, apply_masks, masks_for
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["finetune"]

_RAMP_SHARE = 0.6
"""Part of the steps in which the sparsity grows; in the rest the remaining weights recover."""
_UPDATES = 40
"""How often the masks are chosen anew on the way."""


def finetune(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train in place while a polynomial schedule raises the sparsity to the plan's.

    Loss: cross-entropy for integer y, mean squared error for float y. Adam. Batch normalization trains as usual.
    Same seed and data, same weights. DataError without labels, SettingsError for epochs < 1.
    """
    x, y = training.x, training.y
    if x is None or y is None:
        raise DataError(
            "--method finetune: needs samples with labels; give --data FILE.npz with x and y, or use --method oneshot"
        )
    if training.epochs < 1:
        raise SettingsError(f"--epochs: expected at least 1, got {training.epochs}")
    keras, tf = tf_keras(), tensorflow()
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()

    steps_per_epoch = -(-len(x) // training.batch)
    total = steps_per_epoch * training.epochs
    ramp = max(1, round(_RAMP_SHARE * total))
    frequency = max(1, ramp // _UPDATES)
    schedules = _schedules(plan, ramp)
    masks = masks_for(model, plan, dict.fromkeys(schedules, 0.0))
    variables = {kernel.name: kernel.variable for kernel in iter_kernels(model) if kernel.name in masks}
    keep = {name: tf.Variable(mask.astype(np.float32), trainable=False) for name, mask in masks.items()}
    train_step = _train_step(
        model, _loss(model, y), training.learning_rate, [(variables[name], keep[name]) for name in masks]
    )

    targets = (
        np.asarray(y).reshape(len(y))
        if np.issubdtype(y.dtype, np.integer) or y.dtype == np.bool_
        else np.asarray(y, dtype=np.float32)
    )
    targets = targets.astype(np.int64) if targets.dtype != np.float32 else targets.reshape(len(y), *output_shape(model))
    generator = np.random.default_rng(training.seed)
    step = 0
    for epoch in range(training.epochs):
        losses = []
        order = generator.permutation(len(x))
        for start in range(0, len(x), training.batch):
            if step <= ramp and (step % frequency == 0 or step == ramp):
                masks = masks_for(model, plan, {name: schedule(step) for name, schedule in schedules.items()})
                for name, mask in masks.items():
                    keep[name].assign(mask.astype(np.float32))
            rows = order[start : start + training.batch]
            losses.append(float(train_step(tf.constant(x[rows], dtype=tf.float32), tf.constant(targets[rows]))))
            step += 1
        if not np.isfinite(losses).all():
            raise DataError(
                f"--method finetune: the loss became {losses[-1]} in epoch {epoch + 1}; check the scale of x and y"
            )
        if training.progress is not None:
            training.progress(f"epoch {epoch + 1}/{training.epochs}: loss {np.mean(losses):.4f}")
    if step <= ramp:
        masks = masks_for(model, plan)
    apply_masks(model, masks)
    return masks


def _schedules(plan: SparsityPlan, ramp: int) -> dict[str, Callable[[int], float]]:
    """Per pruned layer: step -> sparsity, by TF-MOT's PolynomialDecay from 0 to the plan's at step `ramp`."""
    tf = tensorflow()
    decay = tfmot().sparsity.keras.PolynomialDecay

    def schedule(target: float) -> Callable[[int], float]:
        polynomial = decay(
            initial_sparsity=0.0, final_sparsity=target, begin_step=0, end_step=ramp, power=3, frequency=1
        )

        def sparsity(step: int) -> float:
            if step >= ramp:
                return target  # exact; the polynomial is float32
            _, value = polynomial(tf.constant(step, dtype=tf.int64))
            return min(max(float(value), 0.0), target)

        return sparsity

    return {layer.name: schedule(layer.sparsity) for layer in plan.layers if layer.pattern is not None}


def _loss(model: Any, y: Labels) -> Any:
    losses = tf_keras().losses
    activation = final_activation(model)
    if np.issubdtype(y.dtype, np.floating):
        return losses.MeanSquaredError()
    if output_shape(model) == (1,):
        return losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
    return losses.SparseCategoricalCrossentropy(from_logits=activation != "softmax")


def _train_step(
    model: Any, loss: Any, learning_rate: float, masked: list[tuple[Any, Any]]
) -> Callable[[Any, Any], Any]:
    tf = tensorflow()
    optimizer = tf_keras().optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)

    def step(x: Any, y: Any) -> Any:
        for kernel, keep in masked:
            kernel.assign(kernel * keep)
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
            for extra in model.losses:  # the model's own regularizers
                value += extra
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        for kernel, keep in masked:
            kernel.assign(kernel * keep)
        return value

    with quiet():
        compiled: Callable[[Any, Any], Any] = tf.function(step, reduce_retracing=True)
    return compiled
