"""Second-order pruning, then training of the weights that stay.

By default the model learns to give the outputs of the unpruned model (distillation), on its samples and on mixtures of
two of them, which needs no labels and few samples; labels, where there are any, count as well. What has been removed
stays removed. Batch normalization and dropout work as in inference: their statistics follow the pruning (see
layerwise), and batches of few samples would only make them worse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, SettingsError
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.keras_model.loaded import output_shape
from edgesparse.keras_model.predict import predict
from edgesparse.keras_model.validate import free_batch
from edgesparse.sparsify.data import Training
from edgesparse.sparsify.distillation import distillation_loss, label_loss, label_targets
from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.layerwise import prune_layerwise
from edgesparse.sparsify.masks import Masks, apply_masks
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["finetune"]

_MIXED_SHARE = 0.5
"""Part of the samples that are mixed with another one, where there is a model to say what the outputs should be."""
_LABEL_SHARE = 0.5
"""Weight of the labels' loss beside the distillation loss."""
_WARMUP_SHARE = 0.05
"""Part of the steps in which the learning rate rises; then it falls as a cosine."""


def finetune(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Prune to the plan and train, in place. Adam; same seed and data, same weights.

    DataError for too few samples, without labels where training.distill is off, and where the loss is not finite;
    SettingsError for epochs < 1.
    """
    if training.x is None:
        raise DataError("--method finetune: needs samples; give --data FILE.npz with x, or use --method oneshot")
    if training.epochs < 1:
        raise SettingsError(f"--epochs: expected at least 1, got {training.epochs}")
    use_labels = training.labels and training.y is not None
    if not training.distill and not use_labels:
        raise DataError(
            "--method finetune --no-distill: needs labels; give --data FILE.npz with x and y, and no --no-labels"
        )
    keras, tf = tf_keras(), tensorflow()
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    # On some processors it fuses a convolution, its normalization and tanh, and has no kernel for that.
    tf.config.optimizer.set_experimental_options({"remapping": False})

    x = np.asarray(training.x, dtype=np.float32)
    y = label_targets(model, training.y) if training.y is not None and use_labels else np.zeros(len(x), np.int64)
    steps = -(-len(x) // training.batch) * training.epochs
    losses_of = _losses(model, training)  # before pruning: they hold a copy of the model
    masks = prune_layerwise(model, plan, x, seed=training.seed, progress=training.progress)
    train_step = _train_step(model, losses_of, masks, _rate(training, steps))
    generator = np.random.default_rng(training.seed)
    for epoch in range(training.epochs):
        losses = []
        order = generator.permutation(len(x))
        for start in range(0, len(x), training.batch):
            rows = order[start : start + training.batch]
            batch, share = _mixed(x, rows, generator, _MIXED_SHARE if training.distill else 0.0)
            losses.append(float(train_step(tf.constant(batch), tf.constant(share == 1.0), tf.constant(y[rows]))))
        if not np.isfinite(losses).all():
            raise DataError(
                f"--method finetune: the loss became {losses[-1]} in epoch {epoch + 1}; check the scale of x and y"
            )
        if training.progress is not None:
            training.progress(f"epoch {epoch + 1}/{training.epochs}: loss {np.mean(losses):.4f}")
    apply_masks(model, masks)
    return masks


def _mixed(
    x: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], generator: np.random.Generator, part: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Samples `rows`, a part of them mixed with another one of these; and the share [rows] of the sample itself.

    What the unpruned model says of mixtures is as good a lesson as what it says of samples, and there are any number
    of them (mixup, Zhang et al., 2018, without its mixing of labels).
    """
    share = np.where(generator.random(len(rows)) < part, generator.random(len(rows)), 1.0).astype(np.float32)
    other = generator.permutation(rows)
    weight = share.reshape(-1, *[1] * (x.ndim - 1))
    return np.asarray(weight * x[rows] + (1 - weight) * x[other], dtype=np.float32), share


def _rate(training: Training, steps: int) -> Any:
    """The learning rate per step: a short rise, then a cosine down to 0."""
    warmup = int(_WARMUP_SHARE * steps)
    return tf_keras().optimizers.schedules.CosineDecay(
        0.0 if warmup else training.learning_rate,
        max(1, steps - warmup),
        warmup_target=training.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _losses(model: Any, training: Training) -> Callable[[Any, Any, Any], Any]:
    """(samples, which of them are no mixtures, labels) -> loss of the model's outputs on them."""
    tf = tensorflow()
    teacher, by_teacher, by_label, label_share = None, None, None, 0.0
    if training.distill and training.x is not None:
        teacher = training.teacher if training.teacher is not None else free_batch(model, always=True)
        by_teacher = distillation_loss(model, float(np.var(predict(teacher, training.x))))
    if training.labels and training.y is not None:
        by_label = label_loss(model, training.y)
        label_share = _LABEL_SHARE if training.distill else 1.0

    def loss(x: Any, plain: Any, y: Any) -> Any:
        outputs = model(x, training=False)
        value = tf.add_n(model.losses) if model.losses else tf.constant(0.0)  # the model's own regularizers
        if teacher is not None and by_teacher is not None:
            value += (1.0 - label_share) * by_teacher(teacher(x, training=False), outputs)
        if by_label is not None:
            weight = tf.cast(plain, tf.float32)
            weight *= tf.cast(tf.size(weight), tf.float32) / tf.maximum(tf.reduce_sum(weight), 1.0)
            weight = tf.reshape(weight, [-1] + [1] * (len(output_shape(model)) - 1))
            value += label_share * by_label(y, outputs, sample_weight=weight)
        return value

    return loss


def _train_step(
    model: Any, loss: Callable[[Any, Any, Any], Any], masks: Masks, rate: Any
) -> Callable[[Any, Any, Any], Any]:
    """One step of training, with the arguments of `loss`, whose value it returns. Masked weights stay zero."""
    tf = tensorflow()
    optimizer = tf_keras().optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)
    masked = [
        (kernel.variable, tf.constant(masks[kernel.name], dtype="float32"))
        for kernel in iter_kernels(model)
        if kernel.name in masks
    ]

    def step(x: Any, plain: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(x, plain, y)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        for kernel, keep in masked:
            kernel.assign(kernel * keep)
        return value

    with quiet():
        compiled: Callable[[Any, Any, Any], Any] = tf.function(step, reduce_retracing=True)
    return compiled
