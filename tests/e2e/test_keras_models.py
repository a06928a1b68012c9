"""Keras models to sparse firmware: real ones, and random architectures that nobody tuned for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgesparse
from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.tflite import read_graph

REAL = (
    "ad01.h5",
    "pretrainedResnet.h5",
    "kws_ref_model.h5",
    "kws_saved_model",
    "magic_wand.h5",
    "nested_autoencoder.h5",
    "keras3_functional.h5",
    "keras3_functional.keras",
)
MLPERF = ("ad01.h5", "pretrainedResnet.h5", "kws_ref_model.h5")
SPARSITY = 0.75

FILE_LIMITS = {"ad01.h5": (275_500, 0.45), "pretrainedResnet.h5": (88_000, 0.55), "kws_ref_model.h5": (34_000, 0.72)}
"""Bytes of model.int8.tflite; at 80 % zeros, model.tflm.tflite / model.int8.tflite."""


def quantization_zeros(report: Report, out: Path) -> float:
    """Share of the prunable weights of the *dense* int8 model that are zero: what quantization and training made."""
    graph = read_graph((out / "dense" / "model.int8.tflite").read_bytes())
    prunable = {layer.name for layer in report.layers if layer.prunable}
    zeros = total = 0
    for index, layer in enumerate(report.layers):
        if layer.name in prunable:
            data = graph.input(graph.ops[index], 1).data
            assert data is not None
            zeros += int(np.count_nonzero(data == 0))
            total += data.size
    return zeros / total


def assert_sparse(report: Report, out: Path, sparsity: float) -> None:
    assert report.bit_exact.ok
    reached = report.model.sparsity
    assert sparsity <= reached <= sparsity + 0.02 + quantization_zeros(report, out)
    rows = [layer for layer in report.layers if layer.prunable]
    zeros = sum(layer.sparsity * layer.weights for layer in rows)
    assert reached == pytest.approx(zeros / sum(layer.weights for layer in rows), abs=1e-3)
    assert report.sparse.weight_bytes <= report.dense.weight_bytes
    decode, files = report.tflm_decode, report.files
    assert decode.layers == 0 if isinstance(decode.bit_exact, Missing) else decode.bit_exact.ok
    assert files["model.tflm.tflite"] <= files["model.int8.tflite"]
    for name, size in files.items():
        assert (out / name).stat().st_size == size


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_models_convert(models: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    settings: dict[str, Any] = {"data": str(models / "kws400.npz")} if name.startswith("kws") else {}
    report = edgesparse.convert(models / name, out=out, sparsity=SPARSITY, **settings)
    assert_sparse(report, out, SPARSITY)
    if name in MLPERF:
        assert report.sparse.flash_bytes < report.dense.flash_bytes
        assert report.sparse.instructions < report.dense.instructions
    if name.startswith("kws"):
        assert report.accuracy.samples == 400
        assert report.accuracy.float > 0.9
        assert report.accuracy.int8 > 0.88


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["unstructured", "block"])
@pytest.mark.parametrize("name", MLPERF)
def test_the_tflite_files_are_small(models: Path, tmp_path: Path, name: str, pattern: str) -> None:
    files = edgesparse.convert(
        models / name, out=tmp_path / "out", sparsity=0.8, pattern=pattern, vectors=1, optimize="flash"
    ).files
    dense_bytes, decode_share = FILE_LIMITS[name]
    assert files["model.int8.tflite"] <= dense_bytes
    assert files["model.tflm.tflite"] <= decode_share * files["model.int8.tflite"]


def convert_random(number: int, out: Path, **settings: Any) -> Report:
    from tests.support.random_models import random_model

    model = random_model(number)
    path = out.parent / f"random_{number}.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tf_keras calls .h5 a legacy format
        model.save(path)
    return edgesparse.convert(path, out=out, vectors=3, **settings)


@pytest.mark.parametrize("seed", range(4))
def test_random_architectures_convert(tmp_path: Path, seed: int) -> None:
    report = convert_random(seed, tmp_path / "out", sparsity=0.5)
    assert_sparse(report, tmp_path / "out", 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 24))
def test_more_random_architectures_convert(tmp_path: Path, seed: int) -> None:
    toolchain = ("gcc", "zig")[seed % 2]
    pattern = ("auto", "unstructured")[seed // 2 % 2]
    report = convert_random(seed, tmp_path / "out", sparsity=0.6, pattern=pattern, toolchain=toolchain)
    assert_sparse(report, tmp_path / "out", 0.6)
