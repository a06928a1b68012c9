"""How well an int8 autoencoder tells the anomaly: `python score.py MODEL.int8.tflite SAMPLES.npz`.

A window's score is the mean squared error of its reconstruction. Prints the area under the ROC curve: the chance that
a window with the anomaly scores higher than one without. The outputs are TFLite Micro's, which the firmware's equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from edgesparse.network import Network

__all__ = ["area_under_curve"]


def area_under_curve(
    reconstructed: npt.NDArray[np.float32], x: npt.NDArray[np.float32], anomaly: npt.NDArray[np.bool_]
) -> float:
    """0 to 1, of windows [n, time]; 0.5 is chance."""
    return float(roc_auc_score(anomaly, np.mean((reconstructed - x) ** 2, axis=1)))


def main() -> None:
    """Print the figure for the files named on the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python score.py MODEL.int8.tflite SAMPLES.npz")
    data = np.load(sys.argv[2])
    reconstructed = Network.load(Path(sys.argv[1])).predict(data["x_test"])
    print(f"AUC {area_under_curve(reconstructed, data['x_test'], data['anomaly_test']):.4f}")


if __name__ == "__main__":
    main()
