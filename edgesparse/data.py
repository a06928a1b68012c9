"""Samples for calibration, training and accuracy: .npz, .npy, a Python function, or a folder of shards."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesparse.arrays import read_npy, read_npz
from edgesparse.errors import DataError, cut
from edgesparse.graph import FloatArray
from edgesparse.progress import Progress, silent
from edgesparse.sample_arrays import as_labels, as_samples, error_words
from edgesparse.shards import Shards, Stream, find_shards

__all__ = ["Dataset", "load_data", "open_data"]


_NAMES = ("x", "y", "x_test", "y_test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples [n, ...]. `y`: integer classes [n], or float targets, or None.

    Calibration and training use x and y. Accuracy uses the test part where there is one, else x and y.

    stream: what training reads instead, where x, y and the test part are only samples of what a folder of shards holds;
    notes: what to say of that.
    """

    x: FloatArray
    y: npt.NDArray[Any] | None = None
    x_test: FloatArray | None = None
    y_test: npt.NDArray[Any] | None = None
    stream: Stream | None = None
    notes: tuple[str, ...] = ()

    @property
    def evaluation(self) -> tuple[FloatArray, npt.NDArray[Any] | None]:
        """The samples that accuracy is measured on."""
        return (self.x, self.y) if self.x_test is None else (self.x_test, self.y_test)

    @property
    def held_out(self) -> bool:
        """Whether accuracy is measured on samples that calibration and training never see."""
        return self.x_test is not None


def open_data(source: str, say: Progress = silent) -> Dataset | Shards:
    """What --data names: load_data, or the shards of a folder, which are not read yet. DataError as both raise it."""
    if _is_folder(source):
        shards = find_shards(Path(source))
        say(f"--data {source}: {shards.describe()}")
        return shards
    return load_data(source, say)


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
        raise DataError(
            f"--data {source}: expected a .npz or .npy file, a folder of shards, or package.module:function"
        )
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
        x=as_samples(values["x"], "x", source),
        y=as_labels(values.get("y"), "y", source),
        x_test=as_samples(values["x_test"], "x_test", source) if "x_test" in values else None,
        y_test=as_labels(values.get("y_test"), "y_test", source),
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
        raise DataError(f"--data {source}: cannot import {module_name!r}: {error_words(error)}") from error
    if not callable(function):
        raise DataError(f"--data {source}: {function_name!r} is not a function")
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DataError(f"--data {source}: the function failed: {error_words(error)}") from error


def _is_folder(source: str) -> bool:
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):  # too long, or with a zero
        return False


def _is_file(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # too long, or with a zero
        return False
