"""The demo's network and samples are what its README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgesparse.keras_model import load, predict

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def test_the_network_knows_the_digits_held_apart(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: demo)")
    subprocess.run([sys.executable, str(DIGITS / "data.py"), str(tmp_path / "digits.npz")], check=True)
    data = np.load(tmp_path / "digits.npz")
    assert {key: data[key].shape for key in data} == {
        "x": (1437, 8, 8, 1),
        "y": (1437,),
        "x_test": (360, 8, 8, 1),
        "y_test": (360,),
    }
    assert data["x"].dtype == np.float32
    assert data["y"].dtype == np.int64
    train, test = ({sample.tobytes() for sample in data[key]} for key in ("x", "x_test"))
    assert not train & test
    accuracy = np.mean(predict(load(DIGITS / "digits.h5").model, data["x_test"]).argmax(axis=1) == data["y_test"])
    assert accuracy > 0.97


def test_the_network_is_small() -> None:
    assert (DIGITS / "digits.h5").stat().st_size < 200_000
