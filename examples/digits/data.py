"""Write scikit-learn's handwritten digits as samples for edgesparse: `python data.py OUT.npz`.

Keys: x float32 (1437, 8, 8, 1) in [0, 1] and y int64 (1437,) for training and calibration; x_test (360, 8, 8, 1) and
y_test (360,) held apart for measuring accuracy. The split depends on SEED only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

__all__ = ["load_split"]

SEED = 0
TEST_SAMPLES = 360


def load_split() -> dict[str, npt.NDArray[np.generic]]:
    """The digits, split: {x, y, x_test, y_test}."""
    digits = load_digits()
    x = (digits.images[..., np.newaxis] / 16.0).astype(np.float32)
    y = digits.target.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(x))
    test, train = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    return {"x": x[train], "y": y[train], "x_test": x[test], "y_test": y[test]}


def main() -> None:
    """Write the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python data.py OUT.npz")
    np.savez_compressed(Path(sys.argv[1]), **load_split())


if __name__ == "__main__":
    main()
