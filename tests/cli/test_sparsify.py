"""edgesparse sparsify: Keras in, sparse Keras out."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgesparse.cli import cli
from edgesparse.errors import EdgesparseError
from edgesparse.keras_model import load, predict
from edgesparse.keras_model.kernels import iter_kernels
from tests.keras.test_checkpoint import samples, small_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.h5"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file")
        small_model().save(path, include_optimizer=False)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    x = samples()
    np.savez(path, x=x, y=(np.arange(len(x)) % 8).astype(np.int64))
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["sparsify", *map(str, arguments)])


def zeros_of(path: Path) -> tuple[int, int]:
    kernels = [kernel.read() for kernel in iter_kernels(load(path).model)]
    return sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels), sum(kernel.size for kernel in kernels)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_the_file_holds_the_zeros_that_were_asked_for(model: Path, data: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"sparse{suffix}"
    result = run(model, "--data", data, "--sparsity", 0.6, "--pattern", "block1x4", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    zeros, weights = zeros_of(out)
    assert 0.6 <= zeros / weights < 0.62
    assert report["model"]["sparsity"] == round(zeros / weights, 4)
    assert report["accuracy"]["samples"] == 40
    assert np.isfinite(predict(load(out).model, samples())).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([model.name, data.name, out.name])


def test_whole_channels_make_a_smaller_model(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.h5"
    result = run(model, "--data", data, "--channels", 0.5, "--sparsity", 0, "-o", out, "--json")
    assert result.exit_code == 0, result.output
    assert load(out).model.count_params() < load(model).model.count_params()
    assert json.loads(result.stdout)["model"]["channels"]["removed_macs"] >= 0.5


def test_the_summary_names_file_layers_and_accuracy(model: Path, data: Path, tmp_path: Path) -> None:
    result = run(model, "--data", data, "--sparsity", 0.5, "-o", tmp_path / "sparse.h5")
    assert result.exit_code == 0, result.output
    for words in ("sparse.h5: 5", "conv", "accuracy (top1, 40 samples)", "top1 agreement"):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "there.h5"], "there.h5: exists"),
        (["-o", "net.onnx"], "ends with .h5 or .keras"),
        (["-o", "nowhere/net.h5"], "cannot write there"),
        (["--method", "finetune"], "needs --data"),
    ],
)
def test_bad_input_is_one_clear_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.h5").write_bytes(b"mine")
    result = run(model, *arguments)
    assert isinstance(result.exception, EdgesparseError)
    assert result.exception.exit_code == 2
    assert words in str(result.exception)
    assert (tmp_path / "there.h5").read_bytes() == b"mine"
