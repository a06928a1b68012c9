"""Layers behind a ReLU whose outputs are mostly zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgesparse
from edgesparse.commands.emulate import emulate
from edgesparse.missing import Missing
from edgesparse.report.report import Report

pytestmark = pytest.mark.slow


def _model(threshold: float) -> Any:
    """64 inputs, 256 ReLU units that need `threshold` standard deviations to be active, 32 outputs."""
    import tf_keras

    tf_keras.utils.set_random_seed(3)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((64,)),
            tf_keras.layers.Dense(256, activation="relu", name="wide"),
            tf_keras.layers.Dense(32, name="readout"),
        ]
    )
    rng = np.random.default_rng(3)
    first, second = model.layers
    first.set_weights([rng.normal(0, 1 / 8, (64, 256)), np.full(256, -threshold)])
    second.set_weights([rng.normal(0, 1 / 16, (256, 32)), rng.normal(0, 0.1, 32)])
    return model


def _convert(folder: Path, threshold: float, *, with_data: bool) -> Report:
    samples = folder / "x.npy"
    np.save(samples, np.random.default_rng(4).normal(0, 1, (200, 64)).astype(np.float32))
    data = str(samples) if with_data else None
    return edgesparse.convert(_model(threshold), out=folder / "out", data=data, sparsity=0.0)


def test_a_layer_with_few_active_inputs_skips_the_others(tmp_path: Path) -> None:
    report = _convert(tmp_path, 1.8, with_data=True)
    layer = report.layers[1]
    assert layer.format == "columns"
    assert 0.9 < layer.activation_sparsity < 0.99  # 96 % of a normal distribution lies under 1.8
    assert report.layers[0].activation_sparsity < 0.1
    assert layer.instructions < 0.7 * layer.dense_instructions
    assert "of the inputs measured zero" in layer.reason
    assert report.bit_exact.ok
    assert report.sparse.instructions_min < report.sparse.instructions  # it depends on the input
    again = emulate(tmp_path / "out")
    assert again.sparse == report.sparse


def test_many_active_inputs_or_no_data_keep_the_rows(tmp_path: Path) -> None:
    (tmp_path / "active").mkdir()
    active = _convert(tmp_path / "active", 0.0, with_data=True).layers[1]
    assert active.format == "dense"
    assert 0.4 < active.activation_sparsity < 0.6
    (tmp_path / "blind").mkdir()
    blind = _convert(tmp_path / "blind", 1.8, with_data=False).layers[1]
    assert blind.format == "dense"
    assert blind.activation_sparsity == Missing("no data to measure on; give --data FILE")
