"""Quantization-aware training that keeps pruned weights at zero: the sparse model learns to live with int8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgesparse.keras_model.validate import free_batch
from edgesparse.quantize.fake import fake_quantized
from edgesparse.sparsify.methods import SparsifyResult
from edgesparse.training.loop import prepare, train
from edgesparse.training.request import Training
from edgesparse.training.shaping import FixedMasks

__all__ = ["train_aware"]


def train_aware(
    pruned: SparsifyResult, unpruned: Any, training: Training, *, dense_per_channel: bool
) -> SparsifyResult:
    """Train a copy of a sparse model under fake quantization; what its masks remove stays exactly 0.0.

    unpruned: the float tf_keras model, whose outputs it learns. training: data, epochs and seed, as for methods that
    train. dense_per_channel: as quantize will be told. The result is a float model, for quantize: which ranges the
    activations have is measured there. Errors as in train. Same arguments, same weights.
    """
    model = free_batch(pruned.model, always=True)
    course = prepare(
        model,
        replace(training, teacher=unpruned),
        option="--quantize qat",
        without_samples="--quantize ptq",
        with_few="--quantize ptq",
    )
    fake = fake_quantized(model, dense_per_channel=dense_per_channel)

    def loss(x: Any, plain: Any, y: Any) -> Any:
        with fake():
            return course.loss(x, plain, y)

    train(replace(course, loss=loss, way=f"int8, {dense_per_channel=}"), FixedMasks(model, pruned.masks))
    return replace(pruned, model=model)
