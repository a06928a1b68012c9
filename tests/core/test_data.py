"""Samples from .npz, .npy and functions; what is refused."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def header(text: str, data: bytes = b"") -> bytes:
    """A .npy whose header says anything."""
    line = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + data


def npz(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return str(path)


def array(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values))
    return file.getvalue()


def declared(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


GOOD = array(np.zeros((2, 3), np.float32))


def test_arrays_that_declare_more_than_they_hold_are_refused_unread(tmp_path: Path) -> None:
    cases = {
        "takes 4,000,000,000,000 bytes, it holds 0": npz(tmp_path / "a.npz", x=header(declared("(1000000, 1000000)"))),
        r"data of 'x' takes 4,000,000,000 bytes, it holds 0": npz(
            tmp_path / "b.npz", x=header(declared("(1000, 1000000)"))
        ),
        "an array of shape": npz(tmp_path / "d.npz", x=header(declared("(-1, 4)"))),
        "array of object": npz(tmp_path / "e.npz", x=header(declared("(1, 1)", "'|O'"))),
        r"array of \[\('a', '<f4'\)\]": npz(tmp_path / "f.npz", x=header(declared("(1, 1)", "[('a', '<f4')]"))),
        "version 3.0": npz(tmp_path / "g.npz", x=b"\x93NUMPY\x03\x00" + GOOD[8:]),
    }
    for number, text in enumerate(("(" * 4000, declared("(" * 900 + ")" * 900), declared("9" * 5000), "{", "")):
        cases[f"readable numpy file(?#{number})"] = npz(tmp_path / f"h{number}.npz", x=header(text))
    (tmp_path / "large.npy").write_bytes(header(declared("(1000, 1000000)"), b"1234"))
    cases["takes 4,000,000,000 bytes, it holds 4"] = str(tmp_path / "large.npy")
    sparse = tmp_path / "sparse.npy"
    sparse.write_bytes(header(declared("(2000000000, 1)", "'|u1'")))
    os.truncate(sparse, 2_000_000_500)
    cases["its arrays take 8,000,000,000 bytes as float32; at most 4,294,967,296"] = str(sparse)
    for expected, source in cases.items():
        with pytest.raises(DataError, match=expected):
            load_data(source)


def test_bombs_are_refused_unread(tmp_path: Path) -> None:
    many = tmp_path / "many.npz"
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(DataError, match="1,001 arrays; at most 1,000"):
        load_data(str(many))
    zeros = header(declared("(1000, 80000)", "'|i1'"), bytes(80_000_000))
    with pytest.raises(
        DataError, match=r"'x' holds 80,000,\d+ bytes in 77,\d+ compressed ones, more than 200 for each"
    ):
        load_data(npz(tmp_path / "zeros.npz", x=zeros))
    with pytest.raises(DataError, match="compressed in a way that numpy does not write"):
        load_data(npz(tmp_path / "bzip2.npz", zipfile.ZIP_BZIP2, x=GOOD))


def test_an_array_that_nobody_asks_for_is_not_read(tmp_path: Path) -> None:
    data = load_data(npz(tmp_path / "d.npz", x=GOOD, other=header(declared("(1000000, 1000000)"))))
    assert data.x.shape == (2, 3)


def test_a_damaged_file_is_a_data_error_and_nothing_else(tmp_path: Path) -> None:
    generator = random.Random(0)
    labels = array([0, 1])
    goods = {
        "d.npz": Path(npz(tmp_path / "good.npz", x=GOOD, y=labels)).read_bytes(),
        "s.npz": Path(npz(tmp_path / "stored.npz", zipfile.ZIP_STORED, x=GOOD, y=labels)).read_bytes(),
        "d.npy": GOOD,
    }
    refused = 0
    for name, good in goods.items():
        for _ in range(400):
            data = bytearray(good)
            for _ in range(generator.randint(1, 3)):
                data[generator.randrange(len(data))] = generator.randrange(256)
            (tmp_path / name).write_bytes(data[: generator.randint(0, len(data))] if generator.random() < 0.1 else data)
            try:
                load_data(str(tmp_path / name))
            except DataError:
                refused += 1
    assert refused > 400


def test_numpy_says_nothing_about_files_of_python_2(tmp_path: Path) -> None:
    """Its advice is a warning of several lines, and all warnings are errors here."""
    python_2 = header(declared("(2L, 3L)"), bytes(24))
    (tmp_path / "old.npy").write_bytes(python_2)
    for source in (str(tmp_path / "old.npy"), npz(tmp_path / "old.npz", x=python_2)):
        assert load_data(source).x.shape == (2, 3)


class Odd:
    def __array__(self, *_: object) -> None:
        raise RuntimeError("no\narray")


def fails() -> None:
    raise KeyError("two\nlines")


X = np.ones((2, 5))


@pytest.mark.parametrize(
    "result",
    [
        lambda: None, lambda: "text", lambda: 3, lambda: {}, lambda: {1: 2}, lambda: {"x": None}, lambda: (X,),
        lambda: (X, X, X), lambda: [[1, 2], [3]], lambda: ([[1, 2], [3]], None), lambda: {"x": Odd()}, fails,
        lambda: 1 / 0, lambda: exit(3), lambda: (X, Odd()), lambda: (X, [[1], [2, 3]]), lambda: (X, ["a", "b"]),
        lambda: (X, 1.0), lambda: (X, 10**30), lambda: (X, np.array([1, 2**64 - 1], np.uint64)), lambda: (X, [1j, 2j]),
        lambda: (X, {"a": 1}),
        lambda: (X, np.array([1e300, 1.0])), lambda: (X, np.array(["2026-01-01"] * 2, "M8[D]")),
        lambda: X.astype("M8[s]"),
        lambda: np.zeros((2, 3), [("a", int)]), lambda: {"x": X, "x_test": None},
        lambda: {"x": X, "x_test": X, "y_test": X[0]},
    ],
)  # fmt: skip
def test_what_a_function_gives_is_used_or_a_data_error(
    result: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd_samples.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        "edgesparse.data.importlib.import_module", lambda _: type("Module", (), {"load": staticmethod(result)})
    )
    with pytest.raises(DataError) as caught:
        load_data("odd_samples:load")
    assert "\n" not in str(caught.value)


def test_a_module_that_fails_is_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for number, text in enumerate(("1 / 0", "import sys; sys.exit(3)", "def (", "raise AttributeError('x')", "\0")):
        (tmp_path / f"failing_{number}.py").write_text(text)
        with pytest.raises(DataError, match=f"failing_{number}"):
            load_data(f"failing_{number}:load")
    for source in (
        ":f",
        ".a:f",
        "a..b:f",
        "x" * 5000 + ":f",
        "a\0b:f",
        "a\0b.npz",
        "a\0b.npy",
        "x" * 5000 + ".npz",
        str(tmp_path),
    ):
        with pytest.raises(DataError):
            load_data(source)
