"""Channels removed, all the way: fewer of them in the file, in the firmware and in the report, bit for bit exact."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgesparse
from edgesparse.cli import main
from edgesparse.keras_model.backend import tf_keras
from edgesparse.report.report import Report
from edgesparse.tflite import read_graph
from tests.e2e.test_keras_models import MLPERF


def network() -> Any:
    keras = tf_keras()
    keras.utils.set_random_seed(2)
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="stem")(x)))
    x = layers.Add()([x, layers.Conv2D(16, 3, padding="same", name="second")(x)])
    x = layers.DepthwiseConv2D(3, strides=2, name="depthwise")(x)
    x = layers.Conv2D(32, 1, activation="relu", name="wide")(x)
    x = layers.Dense(24, activation="relu", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="network")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "samples.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(64, 8, 8, 4)).astype(np.float32), y=rng.integers(0, 3, 64))
    return str(path)


def convert(out: Path, **settings: Any) -> Report:
    return edgesparse.convert(network(), out=out, vectors=3, **settings)


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["edgesparse", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capfd.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


def test_the_pattern_channel_makes_a_smaller_network(
    tmp_path: Path, data: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    report = convert(out, sparsity=0.6, pattern="channel", data=data)
    assert report.bit_exact.ok
    channels = report.model.channels
    assert 0.6 <= channels.removed_prunable == round(1 - channels.prunable_after / channels.prunable_before, 6)
    assert channels.macs_after == report.model.macs
    assert report.model.sparsity < 0.05  # zeros in the file: only those that quantization makes

    capfd.readouterr()
    after = {layer.name: layer.after for layer in channels.layers}
    code, text, _ = run(monkeypatch, capfd, "inspect", str(out / "model.int8.tflite"), "--json")
    assert code == 0
    sizes = [layer["output_shape"][-1] for layer in json.loads(text)["layers"] if layer["weights"]]
    # stem, second, depthwise: one group; wide; dense; out.
    assert sizes == [after.get("stem", 16)] * 3 + [after.get("wide", 32), after.get("dense", 24), 3]

    dense = read_graph((out / "dense" / "model.int8.tflite").read_bytes())
    assert dense.output(dense.ops[0]).shape[-1] == 16  # the twin is the network as it was
    for what in ("flash_bytes", "weight_bytes", "instructions"):
        assert getattr(report.sparse, what) < getattr(report.dense, what)
    assert report.sparse.ram_bytes <= report.dense.ram_bytes
    for row in report.layers:
        assert row.weight_bytes <= row.dense_weight_bytes

    code, text, _ = run(monkeypatch, capfd, "emulate", str(out))
    assert code == 0
    assert "channels removed: " in text
    assert "wide 32 to" in text or "dense 24 to" in text


@pytest.mark.slow
def test_channels_and_blocks_together(tmp_path: Path, data: str) -> None:
    report = convert(
        tmp_path / "out", channels=0.4, sparsity=0.5, pattern="block1x4", data=data, method="finetune", epochs=2
    )
    assert report.bit_exact.ok
    assert report.model.channels.removed_macs >= 0.4
    assert 0.5 <= report.model.sparsity < 0.54
    assert {"stem", "wide", "dense"} <= {row.name for row in report.layers}
    assert report.settings.channels == 0.4
    assert report.settings.channels == 0.4


def test_without_channels_nothing_is_said_of_them(tmp_path: Path) -> None:
    assert convert(tmp_path / "out", sparsity=0.5).model.channels is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--channels", "0.98"], "--channels 0.98 cannot be reached: at most 0."),
        (["--pattern", "channel", "--sparsity", "0.99"], "--pattern channel --sparsity 0.99 cannot be reached"),
        (["--channels", "1.5"], "channels: expected a number from 0 to 0.99, got 1.5"),
    ],
)
def test_what_cannot_be_removed_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    model, out = tmp_path / "model.keras", tmp_path / "out"
    network().save(model)
    capfd.readouterr()
    code, text, errors = run(monkeypatch, capfd, "convert", str(model), "-o", str(out), *arguments)
    assert code == 2
    assert text == ""
    (line,) = (line for line in errors.splitlines() if "error:" in line)
    assert message in line
    assert not out.exists()


def test_channels_need_a_keras_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, errors = run(monkeypatch, capfd, "convert", str(tmp_path / "a.tflite"), "--channels", "0.5")
    assert code == 2
    assert "--channels: needs a Keras model" in errors


@pytest.mark.slow
@pytest.mark.parametrize("name", MLPERF)
def test_half_the_macs_of_real_models_go(models: Path, tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"data": str(models / "kws400.npz")} if name.startswith("kws") else {}
    report = edgesparse.convert(models / name, out=tmp_path / "out", channels=0.5, sparsity=0.0, vectors=2, **settings)
    assert report.bit_exact.ok
    assert 0.5 <= report.model.channels.removed_macs < 0.6
    for what in ("flash_bytes", "instructions"):
        assert getattr(report.sparse, what) < 0.75 * getattr(report.dense, what)
    if name.startswith("kws"):
        assert report.accuracy.sparse_int8 > 0.85
