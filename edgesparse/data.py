"""Samples for calibration, training and accuracy: .npz, .npy, or a Python function."""

from __future__ import annotations

import importlib
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError
from edgesparse.graph import FloatArray

__all__ = ["Dataset", "load_data"]


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


def load_data(source: str) -> Dataset:
    """Read `.npz` (x, optional y, optional x_test and y_test), `.npy` (x), or call `package.module:function`.

    The function takes no arguments and returns x, (x, y), or a dict with the names of the .npz.
    DataError for unreadable files, NaN, infinities, and lengths that differ.
    """
    suffix = Path(source).suffix
    if suffix in (".npz", ".npy"):
        values: Any = _read(Path(source))
    elif ":" in source and not Path(source).exists():
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
        raise DataError(f"--data {source}: expected an array named 'x', got {', '.join(values) or 'none'}")
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
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise DataError(f"--data {path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"--data {path}: not a readable numpy file: {str(error).splitlines()[0]}") from error


def _call(source: str) -> Any:
    module_name, _, function_name = source.rpartition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except ImportError as error:
        raise DataError(f"--data {source}: cannot import {module_name!r}: {error}") from error
    except AttributeError:
        raise DataError(f"--data {source}: module {module_name!r} has no {function_name!r}") from None
    if not callable(function):
        raise DataError(f"--data {source}: {function_name!r} is not a function")
    return function()


def _samples(values: Any, name: str, source: str) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(
            f"--data {source}: {name} must hold numbers of shape (samples, ...), got {array.dtype} {array.shape}"
        )
    with np.errstate(over="ignore"):
        result: FloatArray = np.ascontiguousarray(array, dtype=np.float32)
    _check_finite(result, name, source)
    return result


def _labels(values: Any, name: str, source: str) -> npt.NDArray[Any] | None:
    if values is None:
        return None
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(f"--data {source}: integer {name} must have shape (samples,), got {array.shape}")
        return array.astype(np.int64)
    if array.dtype.kind != "f" or array.ndim < 1:
        raise DataError(f"--data {source}: {name} must hold integers or floats, got {array.dtype}")
    floats: FloatArray = array.astype(np.float32)
    _check_finite(floats, name, source)
    return floats


def _check_finite(array: FloatArray, name: str, source: str) -> None:
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"--data {source}: {name} holds {bad} values that are NaN or infinite; clean the data")
