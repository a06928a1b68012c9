"""Write a patient's blood pressure as samples for edgesparse: `python data.py AEON_FOLDER OUT.npz`.

The series comes with the package aeon (InternalBleeding16 of the UCR anomaly archive): arterial pressure, in its test
part one beat that differs. Only the file is needed, so the package need not be importable and can lie in a folder of
its own: `pip install --no-deps --target AEON_FOLDER aeon==1.6.0`.

Windows of 128 values. Keys: x = y float32 (n, 128), of the part that is known to be normal, each value scaled by that
part's mean and deviation; x_test = y_test of the rest; anomaly_test bool (n_test,), whether a window holds any of the
values marked as the anomaly.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["load_split"]

NAME = "135_UCR_Anomaly_InternalBleeding16"
WINDOW = 128
TEST_STEP = 4


def load_split(folder: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The windows: {x, y, x_test, y_test, anomaly_test}."""
    normal, _ = _read(folder, "TRAIN")
    values, marked = _read(folder, "TEST")
    values, marked = values[len(normal) :], marked[len(normal) :]  # the file repeats the part for training
    mean, deviation = normal.mean(), normal.std()
    x = _windows((normal - mean) / deviation, 1).astype(np.float32)
    x_test = _windows((values - mean) / deviation, TEST_STEP).astype(np.float32)
    anomaly = _windows(marked, TEST_STEP).any(axis=1)
    return {"x": x, "y": x, "x_test": x_test, "y_test": x_test, "anomaly_test": anomaly}


def _read(folder: Path, part: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Values [time], and which of them are marked as the anomaly."""
    file = folder / "aeon" / "datasets" / "data" / "KDD-TSAD_135" / f"{NAME}_{part}.csv"
    if not file.is_file():
        sys.exit(f"{file}: no such file; run: pip install --no-deps --target {folder} aeon==1.6.0")
    table = np.genfromtxt(file, delimiter=",", skip_header=1)
    return table[:, 1], table[:, 2] > 0


def _windows(series: npt.NDArray[np.generic], step: int) -> npt.NDArray[np.generic]:
    """[time] as [n, WINDOW], the first one at 0."""
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(series, WINDOW)[::step])


def main() -> None:
    """Write the file named on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python data.py AEON_FOLDER OUT.npz")
    np.savez_compressed(Path(sys.argv[2]), **load_split(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
