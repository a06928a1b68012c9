"""Weight clustering, all the way: few values in the file, a smaller file for TFLite Micro, bit for bit exact."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import edgesparse
from edgesparse.cli import main
from edgesparse.keras_model import iter_layers, load
from edgesparse.keras_model.backend import quiet, tf_keras
from edgesparse.report.report import Report
from edgesparse.report.show.terminal import _facts
from edgesparse.result import LayerFigures
from edgesparse.tflite import read_graph
from tests.support.small_networks import conv_network


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = tf_keras()
    keras.utils.set_random_seed(2)
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, name="conv")(x)))
    x = layers.Dense(24, name="dense")(layers.Flatten()(x))
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    network = keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))
    network.get_layer("norm").gamma.assign(np.linspace(-1, 1, 24))
    path = tmp_path_factory.mktemp("model") / "net.h5"
    with quiet():
        network.save(path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "samples.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x=rng.normal(size=(32, 8, 8, 4)).astype(np.float32), y=rng.integers(0, 3, 32))
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["edgesparse", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, capfd.readouterr().err


def counted(layer: LayerFigures) -> str:
    return f"{layer.name} {layer.weight_values}"


def main_facts(report: Report) -> list[str]:
    """Lines about clustering of what the command prints."""
    return [line for line in _facts(report) if "--cluster" in line]


def test_convert_ends_with_few_values_and_the_outputs_of_the_reference(model: Path, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = edgesparse.convert(model, out=out, data=data, pattern="unstructured", vectors=2, cluster=16)
    assert report.bit_exact.ok
    assert report.tflm_decode.bit_exact.ok
    layers = {layer.name: layer for layer in report.layers if layer.prunable}
    assert len(layers) == 2
    assert all(3 < layer.weight_values <= 16 for layer in layers.values())
    decodes = [layer.tflm_decode for layer in layers.values()]
    assert {decode.kind for decode in decodes} <= {"huffman", "lut"}
    assert sum(decode.encoded_bytes for decode in decodes) < 0.3 * sum(decode.dense_bytes for decode in decodes)
    assert report.model.sparsity >= 0.75
    assert report.settings.cluster == 16
    assert main_facts(report) == [f"distinct weights (--cluster 16): {', '.join(map(counted, layers.values()))}"]
    graph = read_graph((out / "model.int8.tflite").read_bytes())
    weights = [graph.input(op, 1).data for op in graph.ops if op.kind in ("CONV_2D", "FULLY_CONNECTED")]
    assert [len(np.unique(part)) <= 16 for part in weights if part is not None] == [True, True, False]


@pytest.mark.slow
def test_sparsify_writes_a_model_whose_dense_layers_have_few_values(
    model: Path, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "few.h5"
    code, _ = run(monkeypatch, capfd, "sparsify", str(model), "--data", data, "--cluster", "8", "-o", str(out))
    assert code == 0
    kernel = dict(iter_layers(load(out).model))["dense"].kernel.numpy()
    assert len(np.unique(kernel)) == 7


def test_what_cannot_be_clustered_is_refused_in_one_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, err = run(monkeypatch, capfd, "convert", str(model), "--cluster", "2")
    assert (code, err.strip()) == (2, "edgesparse: error: cluster: expected 0, or a whole number from 3 to 256, got 2")
    int8 = tmp_path / "net.tflite"
    int8.write_bytes(conv_network())
    code, err = run(monkeypatch, capfd, "convert", str(int8), "--cluster", "16")
    assert (code, err.strip()) == (
        2,
        "edgesparse: error: --cluster: needs a Keras model; a .tflite keeps its weights as they are",
    )
