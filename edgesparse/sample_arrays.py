"""What samples and labels must be: numbers, finite, of a kind that networks take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, cut
from edgesparse.graph import FloatArray

__all__ = ["as_labels", "as_samples", "error_words"]


def error_words(error: BaseException) -> str:
    """An exception of somebody else's code, in one line."""
    return f"{type(error).__name__}: {cut(error)}"


def as_samples(values: Any, name: str, source: str) -> FloatArray:
    """[n, ...] numbers as float32; DataError for anything else, NaN and infinities. source: what --data names."""
    array = _array(values, name, source)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(
            f"--data {source}: {name} must hold numbers of shape (samples, ...), got {cut(array.dtype)} {array.shape}"
        )
    with np.errstate(over="ignore"):
        result: FloatArray = np.ascontiguousarray(array, dtype=np.float32)
    _check_finite(result, name, source)
    return result


def as_labels(values: Any, name: str, source: str) -> npt.NDArray[Any] | None:
    """Integers [n] or [n, 1] as int64 [n], floats [n, ...] as float32, None as None; DataError as as_samples."""
    if values is None:
        return None
    array = _array(values, name, source)
    if array.dtype.kind in "iub":
        if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
            raise DataError(f"--data {source}: {name} holds {array.max()}, which is no class")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(f"--data {source}: integer {name} must have shape (samples,), got {array.shape}")
        return array.astype(np.int64)
    if array.dtype.kind != "f" or array.ndim < 1:
        raise DataError(f"--data {source}: {name} must hold integers or floats, got {cut(array.dtype)}")
    with np.errstate(over="ignore"):
        floats: FloatArray = array.astype(np.float32)
    _check_finite(floats, name, source)
    return floats


def _array(values: Any, name: str, source: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except Exception as error:  # of a list of lists of several lengths, or of what an object says that it is
        raise DataError(f"--data {source}: {name} is no array: {error_words(error)}") from error


def _check_finite(array: FloatArray, name: str, source: str) -> None:
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"--data {source}: {name} holds {bad} values that are NaN or infinite; clean the data")
