"""Whether samples and labels fit a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError
from edgesparse.keras_model.loaded import input_shape, output_shape

__all__ = ["Labels", "check_data"]

Labels = npt.NDArray[Any]
"""Class numbers [n] (any integer dtype), or float targets [n, *output]."""


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
