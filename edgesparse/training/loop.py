"""The training that all methods share: what is learnt, and the loop of epochs and steps.

By default the model learns to give the outputs that it gave before (distillation), on its samples and on mixtures of
two of them, which needs no labels and few samples; labels, where there are any, count as well. Batch normalization and
dropout work as in inference: the statistics of the trained model come from far more samples, and batches of few would
only make them worse. What a method does to the kernels meanwhile is its Shaping.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, SettingsError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import output_shape
from edgesparse.keras_model.predict import predict
from edgesparse.keras_model.validate import free_batch
from edgesparse.training.activity import activations, with_activity
from edgesparse.training.checkpoints import State, digest
from edgesparse.training.distillation import distillation_loss, label_loss, label_targets
from edgesparse.training.request import MIN_SAMPLES, Training
from edgesparse.training.shaping import Shaping

__all__ = ["Course", "prepare", "train"]

_MIXED_SHARE = 0.5
"""Part of the samples that are mixed with another one, where there is a model to say what the outputs should be."""
_LABEL_SHARE = 0.5
"""Weight of the labels' loss beside the distillation loss."""
_WARMUP_SHARE = 0.05
"""Part of the steps in which the learning rate rises; then it falls as a cosine."""


@dataclass(frozen=True, eq=False)
class Course:
    """What a model is to learn, fixed before it is changed.

    option: what asked for the training, as in the command line, for messages. loss: (samples, which of them are no
    mixtures, labels) -> scalar tensor; way: how it is computed, where that is not the same in all trainings. x, y: the
    samples, or those of them that are in memory, where the training has a stream.
    """

    model: Any
    option: str
    training: Training
    x: FloatArray
    y: npt.NDArray[Any]
    loss: Callable[[Any, Any, Any], Any]
    way: str = ""

    @property
    def steps_per_epoch(self) -> int:
        """Batches, the last of which may be smaller."""
        samples = len(self.x) if self.training.stream is None else self.training.stream.samples
        return -(-samples // self.training.batch)

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return self.steps_per_epoch * self.training.epochs

    def rate(self, step: int) -> float:
        """The learning rate of a step: a short rise, then a cosine down to 0."""
        warmup = int(_WARMUP_SHARE * self.steps)
        if step < warmup:
            return self.training.learning_rate * step / warmup
        done = min(1.0, (step - warmup) / max(1, self.steps - warmup))
        return self.training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


def prepare(
    model: Any,
    training: Training,
    *,
    option: str,
    without_samples: str = "--method oneshot",
    with_few: str = "--method magnitude",
) -> Course:
    """Check the data and the settings, seed TensorFlow, and note what the model gives as it is now.

    option: see Course; without_samples, with_few: what to use instead where there are none, or too few. DataError for
    too few samples, and without labels where training.distill is off; SettingsError for epochs < 1 and for a penalty on
    ReLUs where there are none.
    """
    if training.x is None:
        raise DataError(f"{option}: needs samples; give --data FILE.npz with x, or use {without_samples}")
    if training.epochs < 1:
        raise SettingsError(f"--epochs: expected at least 1, got {training.epochs}")
    use_labels = training.labels and training.y is not None
    if not training.distill and not use_labels:
        raise DataError(f"{option} --no-distill: needs labels; give --data FILE.npz with x and y, and no --no-labels")
    if len(training.x) < MIN_SAMPLES:
        raise DataError(
            f"--data: {option} needs at least {MIN_SAMPLES} samples, got {len(training.x)}; give more, or use"
            f" {with_few}"
        )
    keras, tf = tf_keras(), tensorflow()
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    # On some processors it fuses a convolution, its normalization and tanh, and has no kernel for that.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    x = np.asarray(training.x, dtype=np.float32)
    y = _targets(model, training, len(x), training.y)
    return Course(model, option, training, x, y, _losses(model, training))


def train(course: Course, shaping: Shaping) -> None:
    """Train the course's model in place, with Adam. Same seed, data and shaping: same weights.

    Goes on from a checkpoint of the same training, where training.checkpoints has one. DataError where the loss is not
    finite.
    """
    tf, training = tensorflow(), course.training
    key = _key(course, shaping) if training.checkpoints is not None else ""
    optimizer = tf_keras().optimizers.Adam(_rate(course))
    optimizer.build(course.model.trainable_variables)
    train_step = _train_step(course, shaping, optimizer)
    generator = np.random.default_rng(training.seed)
    done = _resume(course, shaping, optimizer, generator, key)
    step = done * course.steps_per_epoch
    for epoch in range(done, training.epochs):
        losses = []
        for x, rows, y in _batches(course, epoch, generator):
            batch, share = _mixed(x, rows, generator, _MIXED_SHARE if training.distill else 0.0)
            shaping.before_step(step)
            losses.append(float(train_step(tf.constant(batch), tf.constant(share == 1.0), tf.constant(y))))
            shaping.after_step(step)
            step += 1
        if not np.isfinite(losses).all():
            raise DataError(
                f"{course.option}: the loss became {losses[-1]} in epoch {epoch + 1}; check the scale of x and y"
            )
        if training.progress is not None:
            zeros = f", zeros {shaping.sparsity():.1%}"
            training.progress(f"epoch {epoch + 1}/{training.epochs}: loss {np.mean(losses):.4f}{zeros}")
        if training.checkpoints is not None:
            state = State(
                epochs=epoch + 1,
                variables=[variable.numpy() for variable in _variables(course.model, optimizer)],
                shaping=shaping.state(),
                generator=json.dumps(generator.bit_generator.state),
            )
            training.checkpoints.save(key, state, last=epoch + 1 == training.epochs)


def _batches(
    course: Course, epoch: int, generator: np.random.Generator
) -> Iterator[tuple[FloatArray, npt.NDArray[np.intp], npt.NDArray[Any]]]:
    """The batches of an epoch: samples, which of these rows it is, labels [rows]. generator: for samples in memory."""
    training = course.training
    if training.stream is None:
        order = generator.permutation(len(course.x))
        for start in range(0, len(course.x), training.batch):
            rows = order[start : start + training.batch]
            yield course.x, rows, course.y[rows]
        return
    for x, y in training.stream.epoch(epoch, seed=training.seed, batch=training.batch):
        yield x, np.arange(len(x)), _targets(course.model, training, len(x), y)


def _targets(model: Any, training: Training, count: int, y: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    """Labels as the loss wants them; zeros where it does not use any."""
    if y is None or not training.labels:
        return np.zeros(count, np.int64)
    return label_targets(model, y)


def _variables(model: Any, optimizer: Any) -> list[Any]:
    return [*model.variables, *optimizer.variables]


def _key(course: Course, shaping: Shaping) -> str:
    """Of all that the training depends on."""
    training = course.training
    left_out = ("x", "y", "stream", "teacher", "checkpoints", "progress")
    settings: dict[str, object] = {
        item.name: getattr(training, item.name) for item in fields(training) if item.name not in left_out
    }
    settings |= {
        "option": course.option,
        "way": course.way,
        "shaping": type(shaping).__name__,
        "kernels": list(shaping.kernels),
    }
    if training.stream is not None:
        settings |= {"samples": training.stream.samples, "stream": training.stream.digest}
    teacher = training.teacher.get_weights() if training.teacher is not None else []
    masks = [np.asarray(mask) for mask in shaping.state().values()]
    return digest(settings, [*course.model.get_weights(), *teacher, *masks, course.x, course.y])


def _resume(course: Course, shaping: Shaping, optimizer: Any, generator: np.random.Generator, key: str) -> int:
    """Restore the state of the last checkpoint; the epochs that are done."""
    checkpoints, progress = course.training.checkpoints, course.training.progress
    state = checkpoints.load(key) if checkpoints is not None else None
    if state is None:
        return 0
    for variable, value in zip(_variables(course.model, optimizer), state.variables, strict=True):
        variable.assign(value)
    shaping.restore(state.shaping)
    generator.bit_generator.state = json.loads(state.generator)
    if progress is not None:
        progress(f"going on after epoch {state.epochs}/{course.training.epochs}, from the checkpoint of another run")
    return state.epochs


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


def _rate(course: Course) -> Any:
    """Course.rate for the optimizer."""
    warmup, highest = int(_WARMUP_SHARE * course.steps), course.training.learning_rate
    return tf_keras().optimizers.schedules.CosineDecay(
        0.0 if warmup else highest,
        max(1, course.steps - warmup),
        warmup_target=highest if warmup else None,
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

    penalised = activations(model) if training.activity_l1 else {}

    def loss(x: Any, plain: Any, y: Any) -> Any:
        outputs, activity = with_activity(model, x, penalised)
        value = tf.add_n(model.losses) if model.losses else tf.constant(0.0)  # the model's own regularizers
        if penalised:
            value += training.activity_l1 * activity
        if teacher is not None and by_teacher is not None:
            value += (1.0 - label_share) * by_teacher(teacher(x, training=False), outputs)
        if by_label is not None:
            weight = tf.cast(plain, tf.float32)
            weight *= tf.cast(tf.size(weight), tf.float32) / tf.maximum(tf.reduce_sum(weight), 1.0)
            weight = tf.reshape(weight, [-1] + [1] * (len(output_shape(model)) - 1))
            value += label_share * by_label(y, outputs, sample_weight=weight)
        return value

    return loss


def _train_step(course: Course, shaping: Shaping, optimizer: Any) -> Callable[[Any, Any, Any], Any]:
    """One step of training, with the arguments of the course's loss, whose value it returns."""
    tf, model = tensorflow(), course.model
    factors = shaping.factors
    scaled = [(kernel.variable, factors[kernel.name]) for kernel in iter_kernels(model) if kernel.name in factors]

    def step(x: Any, plain: Any, y: Any) -> Any:
        whole = [tf.identity(kernel) for kernel, _ in scaled]
        for kernel, factor in scaled:
            kernel.assign(kernel * factor)
        with tf.GradientTape() as tape:
            value = course.loss(x, plain, y)
        variables = model.trainable_variables
        gradients = tape.gradient(value, variables)
        for (kernel, factor), weights in zip(scaled, whole, strict=True):
            kernel.assign(weights)
            at = next(index for index, variable in enumerate(variables) if variable is kernel)
            gradients[at] = gradients[at] * factor
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return value

    with quiet():
        compiled: Callable[[Any, Any, Any], Any] = tf.function(step, reduce_retracing=True)
    return compiled
