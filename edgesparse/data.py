"""Samples for calibration, training and accuracy: .npz, .npy, or a Python function."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.arrays import read_npy, read_npz
from edgesparse.errors import DataError, cut
from edgesparse.graph import FloatArray
from edgesparse.progress import Progress, silent

__all__ = ["Dataset", "load_data"]


_NAMES = ("x", "y", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples [n, ...]. `y`: integer classes [n], or float targets, or None.

    Calibration and training use x and y. Accuracy uses the test part where there is one, else x and y.
    """

    x: FloatArray
    y: npt.NDArray[Any] | None = None
    x_test: FloatArray | None = None
    y_test: npt.NDArray[Any] | None = None

    @property
    def evaluation(self) -> tuple[FloatArray, npt.NDArray[Any] | None]:
        """The samples that accuracy is measured on."""
        return (self.x, self.y) if self.x_test is None else (self.x_test, self.y_test)

    @property
    def held_out(self) -> bool:
        """Whether accuracy is measured on samples that calibration and training never see."""
        return self.x_test is not None


def load_data(source: str, say: Progress = silent) -> Dataset:
    """Read `.npz` (x, optional y, optional x_test and y_test), `.npy` (x), or call `package.module:function`.

    The function is code that runs, and `say` tells. It takes no arguments and returns x, (x, y), or a dict with the
    names of the .npz.
    DataError for unreadable files, NaN, infinities, and lengths that differ.
    """
    suffix = Path(source).suffix
    if suffix in (".npz", ".npy"):
        values: Any = _read(Path(source))
    elif ":" in source and not _is_file(source):
        say(f"running Python code for samples: {source}")
        values = _call(source)
    else:
        raise DataError(f"--data {source}: expected a .npz or .npy file, or package.module:function")
    if isinstance(values, tuple):
        if len(values) != 2:
            raise DataError(f"--data {source}: expected (x, y), got a tuple of {len(values)}")
        values = {"x": values[0], "y": values[1]}
    elif not isinstance(values, dict):
        values = {"x": values}
    if "x" not in values:
        raise DataError(
            f"--data {source}: expected an array named 'x', got {cut(', '.join(map(str, values))) or 'none'}"
        )
    if "y_test" in values and "x_test" not in values:
        raise DataError(f"--data {source}: has 'y_test' but no 'x_test'")
    data = Dataset(
        x=_samples(values["x"], "x", source),
        y=_labels(values.get("y"), "y", source),
        x_test=_samples(values["x_test"], "x_test", source) if "x_test" in values else None,
        y_test=_labels(values.get("y_test"), "y_test", source),
    )
    for x_name, x, y_name, y in (("x", data.x, "y", data.y), ("x_test", data.x_test, "y_test", data.y_test)):
        if x is not None and y is not None and len(x) != len(y):
            raise DataError(f"--data {source}: {x_name} has {len(x)} samples and {y_name} has {len(y)}")
    return data


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".npy":
            return read_npy(path)
        found, names = read_npz(path, _NAMES)
    except DataError as error:
        raise DataError(f"--data {path}: {error}") from error
    if "x" not in found:
        raise DataError(f"--data {path}: expected an array named 'x', got {cut(', '.join(names)) or 'none'}")
    return found


def _call(source: str) -> Any:
    module_name, _, function_name = source.rpartition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except AttributeError:
        raise DataError(f"--data {source}: module {module_name!r} has no {function_name!r}") from None
    except (Exception, SystemExit) as error:  # of the user's module
        raise DataError(f"--data {source}: cannot import {module_name!r}: {_words(error)}") from error
    if not callable(function):
        raise DataError(f"--data {source}: {function_name!r} is not a function")
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DataError(f"--data {source}: the function failed: {_words(error)}") from error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {cut(error)}"


def _is_file(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long, or with a zero
        return False


def _array(values: Any, name: str, source: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except Exception as error:  # of a list of lists of several lengths, or of what an object says that it is
        raise DataError(f"--data {source}: {name} is no array: {_words(error)}") from error


def _samples(values: Any, name: str, source: str) -> FloatArray:
    array = _array(values, name, source)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(
            f"--data {source}: {name} must hold numbers of shape (samples, ...), got {cut(array.dtype)} {array.shape}"
        )
    with np.errstate(over="ignore"):
        result: FloatArray = np.ascontiguousarray(array, dtype=np.float32)
    _check_finite(result, name, source)
    return result


def _labels(values: Any, name: str, source: str) -> npt.NDArray[Any] | None:
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


def _check_finite(array: FloatArray, name: str, source: str) -> None:
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"--data {source}: {name} holds {bad} values that are NaN or infinite; clean the data")
