"""Write wrist-worn IMU recordings of shoulder exercises as samples for edgesparse: `python data.py OUT.npz`.

The recordings come with the package seglearn: 10 people, 7 exercises on each side, accelerometer and gyroscope of a
smartwatch at 50 Hz (Burns et al., 2018). Each is cut into windows of 2.56 s that overlap by half. People are held
apart, not windows: whoever is in the test is in nothing else.

Keys: x float32 (n, 128, 6) and y int64 (n,), exercise 0 to 6, of 7 people; x_test, y_test of the 3 others. Each channel
is scaled by its mean and deviation over x. Who is in the test depends on SEED only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from seglearn.datasets import load_watch

__all__ = ["load_split"]

SEED = 0
TEST_PEOPLE = 3
WINDOW = 128
STEP = 64


def load_split() -> dict[str, npt.NDArray[np.generic]]:
    """The windows, split by people: {x, y, x_test, y_test}."""
    recordings = load_watch()
    people = np.random.default_rng(SEED).permutation(np.unique(recordings["subject"]))
    in_test = np.isin(recordings["subject"], people[:TEST_PEOPLE])
    x, y = _windows(recordings, ~in_test)
    x_test, y_test = _windows(recordings, in_test)
    mean, deviation = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
    return {"x": (x - mean) / deviation, "y": y, "x_test": (x_test - mean) / deviation, "y_test": y_test}


def _windows(
    recordings: dict[str, npt.NDArray[np.generic]], chosen: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    x, y = [], []
    for index in np.flatnonzero(chosen):
        recording = np.asarray(recordings["X"][index], dtype=np.float32)  # [time, 6]
        starts = range(0, len(recording) - WINDOW + 1, STEP)
        x += [recording[start : start + WINDOW] for start in starts]
        y += [int(recordings["y"][index])] * len(starts)
    return np.stack(x), np.array(y, dtype=np.int64)


def main() -> None:
    """Write the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python data.py OUT.npz")
    np.savez_compressed(Path(sys.argv[1]), **load_split())


if __name__ == "__main__":
    main()
