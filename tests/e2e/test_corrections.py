"""convert chooses among plain and corrected int8 models by samples, and says what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgesparse
from edgesparse.keras_model.backend import tf_keras
from edgesparse.missing import Missing
from edgesparse.report.show.terminal import summary
from edgesparse.tflite import read_graph


def uneven_network() -> Any:
    """Two convolutions between which channels have sizes from 1 to 1000."""
    keras = tf_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(16, 3, activation="relu", name="first"),
            layers.Conv2D(16, 3, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="scores"),
        ]
    )
    sizes = np.geomspace(1.0, 1000.0, 16, dtype=np.float32)
    first, second = model.get_layer("first"), model.get_layer("second")
    first.kernel.assign(first.kernel * sizes)
    second.kernel.assign(second.kernel / sizes[:, np.newaxis])
    return model


@pytest.fixture
def data(tmp_path: Path) -> str:
    x = np.random.default_rng(0).standard_normal((100, 8, 8, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    return str(tmp_path / "data.npz")


@pytest.mark.slow
def test_an_uneven_network_is_equalized_and_stays_sparse_and_exact(tmp_path: Path, data: str) -> None:
    out = tmp_path / "out"
    report = edgesparse.convert(uneven_network(), out=out, data=data, sparsity=0.5, vectors=2)
    found = report.quantization
    for figures in (found, found.dense):
        assert figures.equalized
        assert figures.samples == 50
        assert figures.output_error < 0.5 * figures.output_error_plain
    assert found.method == "ptq"
    assert report.bit_exact.ok
    assert report.model.sparsity >= 0.5
    assert "channels equalized" in (text := "\n".join(map(str, summary(report))))
    assert f"{found.output_error:.4g} (50 calibration samples)" in text


def test_corrections_can_be_switched_off(tmp_path: Path, data: str) -> None:
    out = tmp_path / "out"
    model = uneven_network()
    report = edgesparse.convert(model, out=out, data=data, sparsity=0.0, vectors=1, correct=False)
    assert not report.quantization.equalized
    assert report.quantization.output_error == Missing("--no-correct")
    graph = read_graph((out / "model.int8.tflite").read_bytes())
    weights = np.asarray(graph.input(next(op for op in graph.ops if op.kind == "CONV_2D"), 1).data)
    kernel = np.moveaxis(model.get_layer("first").kernel.numpy(), -1, 0)
    scales = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
    assert np.abs(weights - kernel / scales).max() <= 1
