"""Samples from .npz, .npy and functions; what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgesparse.data import load_data
from edgesparse.errors import DataError


def test_npz_with_a_held_out_part(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((4, 2)), y=np.arange(4), x_test=np.ones((3, 2)), y_test=np.arange(3))
    data = load_data(str(path))
    assert data.x.dtype == np.float32
    assert data.held_out
    assert data.evaluation[0].shape == (3, 2)
    assert load_data(str(path)).y is not None


def test_npy_holds_x(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 3, 1), np.uint8))
    data = load_data(str(tmp_path / "x.npy"))
    assert data.x.shape == (2, 3, 3, 1)
    assert data.y is None


def test_a_function_gives_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_samples.py").write_text(
        "import numpy as np\ndef load():\n    return np.ones((2, 5)), np.array([0, 1])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = load_data("my_samples:load")
    assert data.x.shape == (2, 5)
    assert data.y is not None
    assert data.y.tolist() == [0, 1]


def save(path: Path, **arrays: object) -> str:
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return str(path)


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    cases = {
        "NaN": save(tmp_path / "a.npz", x=[[np.nan, 1.0]]),
        "infinite": save(tmp_path / "b.npz", x=[[1e300, 1.0]]),
        "named 'x'": save(tmp_path / "c.npz", inputs=[[1.0]]),
        "2 samples and y has 3": save(tmp_path / "d.npz", x=[[1.0], [2.0]], y=[0, 1, 2]),
        "numbers": save(tmp_path / "e.npz", x=[["a", "b"]]),
        "shape": save(tmp_path / "f.npz", x=[1.0, 2.0]),
        "no 'x_test'": save(tmp_path / "g.npz", x=[[1.0]], y_test=[1]),
        "no such file": str(tmp_path / "none.npz"),
        r"expected a \.npz": str(tmp_path / "data.csv"),
        "cannot import": "no_such_module_here:f",
        "has no 'nothing'": "json:nothing",
        "not a function": "math:pi",
    }
    (tmp_path / "h.npz").write_text("not a zip")
    cases["readable"] = str(tmp_path / "h.npz")
    for expected, source in cases.items():
        with pytest.raises(DataError, match=expected):
            load_data(source)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match="readable"):
        load_data(str(tmp_path / "o.npy"))
