"""The samples that training and calibration use, checked against the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.loaded import input_shape, output_shape
from edgesparse.sparsify.checkpoint import Checkpoints

__all__ = ["Labels", "Training", "check_data"]

Labels = npt.NDArray[Any]
"""Class numbers [n] (any integer dtype), or float targets [n, *output]."""


@dataclass(frozen=True, eq=False)
class Training:
    """What a sparsifier may use beside the model. `progress` is called with a line of text per epoch."""

    x: FloatArray | None = None  # [n, *input]
    y: Labels | None = None
    epochs: int = 10
    seed: int = 0
    batch: int = 32
    learning_rate: float = 2e-3  # at its highest
    labels: bool = True  # whether training may use y
    distill: bool = True  # whether training learns from the outputs of the unpruned model
    activity_l1: float = 0.0  # strength of the penalty on the outputs of ReLUs
    schedule: str = "polynomial"  # of gradual: polynomial or constant
    cluster: int = 0  # the most values that the weights of a layer share in the end; 0 for any number
    dense_per_channel: bool = False  # whether quantization will give each output of a Dense layer a scale
    teacher: Any = None  # the unpruned tf_keras model, where the one to be made sparse has lost channels before
    checkpoints: Checkpoints | None = None  # where training that was interrupted goes on from
    progress: Callable[[str], None] | None = None


def check_data(model: Any, x: npt.NDArray[Any], y: Labels | None) -> None:
    """DataError unless x and y fit the model.

    x: [n, *input], n >= 1. y: None, integer class numbers [n] or [n, 1] below the number of outputs, or floats [n,
    *output].
    """
    shape = input_shape(model)
    if x.ndim != len(shape) + 1 or x.shape[1:] != shape:
        raise DataError(
            f"--data: x: expected shape {_with_batch(shape)}, got {_show(x.shape)}; reshape the samples to the"
            " model's input"
        )
    if len(x) == 0:
        raise DataError("--data: x holds no samples; give at least one")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise DataError(f"--data: x holds {bad} values that are NaN or infinite; clean the data")
    if y is None:
        return
    if np.issubdtype(y.dtype, np.floating) and not np.isfinite(y).all():
        raise DataError("--data: y holds values that are NaN or infinite; clean the data")
    if len(y) != len(x) or y.ndim == 0:
        raise DataError(
            f"--data: y: expected {len(x)} labels, one per sample in x, got {len(y) if y.ndim else 0}; make"
            " both the same length"
        )
    outputs = output_shape(model)
    if np.issubdtype(y.dtype, np.integer) or y.dtype == np.bool_:
        if y.shape not in ((len(x),), (len(x), 1)):
            raise DataError(
                f"--data: y: expected class numbers of shape (n,), got {_show(y.shape)}; for regression give floats"
            )
        if len(outputs) != 1:
            raise DataError(
                f"--data: y: class numbers need an output of shape (n, classes), the model's is"
                f" {_with_batch(outputs)}; give float targets"
            )
        classes = max(outputs[0], 2)
        if int(y.min()) < 0 or int(y.max()) >= classes:
            raise DataError(
                f"--data: y: expected class numbers 0 to {classes - 1}, got {int(y.min())} to {int(y.max())};"
                " check the labels"
            )
    elif np.issubdtype(y.dtype, np.floating):
        if y.shape[1:] != outputs and not (y.ndim == 1 and outputs == (1,)):
            raise DataError(
                f"--data: y: expected floats of shape {_with_batch(outputs)}, got {_show(y.shape)}; for class"
                " numbers use an integer dtype"
            )
    else:
        raise DataError(f"--data: y: expected integer class numbers or float targets, got {y.dtype}; convert it")


def _with_batch(shape: tuple[int, ...]) -> str:
    return _show(("n", *shape))


def _show(shape: tuple[object, ...]) -> str:
    inside = ", ".join(str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"
