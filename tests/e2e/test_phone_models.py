"""model.sparse.tflite of the published networks: how small, and equal on the runtimes that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesparse import keras_model, quantize, sparsify
from edgesparse.commands.bench_mobile import bench_mobile
from edgesparse.commands.convert import convert
from edgesparse.keras_model.backend import tf_keras
from edgesparse.missing import Missing
from edgesparse.mobile import phone_model
from edgesparse.network import Network
from edgesparse.result import MobileCheck
from edgesparse.training.request import Training

LARGEST_SHARE = {
    ("ad01", "unstructured"): 0.50,
    ("ad01", "block1x4"): 0.33,
    ("pretrainedResnet", "unstructured"): 0.55,
    ("pretrainedResnet", "block1x4"): 0.42,
    ("kws_ref_model", "unstructured"): 0.75,
    ("kws_ref_model", "block1x4"): 0.70,
}
"""Of model.int8.tflite, at 80 % zeros."""


def test_a_float_file_meets_xnnpacks_conditions_and_is_measured_beside_its_twin(tmp_path: Path) -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(layers.ZeroPadding2D(1)(x))
    for channels in (32, 64):
        x = layers.DepthwiseConv2D(3, strides=2, activation="relu")(layers.ZeroPadding2D(1)(x))
        x = layers.Conv2D(channels, 1, activation="relu")(x)
    outputs = layers.Dense(4)(layers.GlobalAveragePooling2D()(x))
    out = tmp_path / "out"
    report = convert(
        keras.Model(inputs, outputs), out=out, sparsity=0.75, pattern="block4x1", mobile_dtype="float32", vectors=1
    )
    assert {"model.float32.tflite", "model.sparse.tflite", "model.int8.tflite"} <= set(report.files)
    assert report.files["model.sparse.tflite"] < report.files["model.float32.tflite"]
    measured = bench_mobile(out, rounds=1, runs=1)
    assert measured.dtype == "float32"
    assert [layer.block for layer in measured.layers if layer.meets_conditions] == [4, 4]
    assert all(layer.storage == "block4x1" for layer in measured.layers if layer.meets_conditions)
    for figures in measured.runtimes.values():
        assert figures.get("max_difference", 0.0) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pattern"), LARGEST_SHARE)
def test_published_networks_are_small_and_equal(models: Path, name: str, pattern: str) -> None:
    loaded = keras_model.load(models / f"{name}.h5")
    plan = sparsify.plan(loaded.model, sparsity=0.8, pattern=pattern)
    training = Training(x=None, y=None, epochs=1, seed=0, progress=lambda _: None)
    pruned = sparsify.sparsify(loaded, plan, method="oneshot", training=training)
    samples = quantize.synthetic_inputs(keras_model.input_shape(loaded.model), n=32, seed=0)
    int8 = quantize.quantize(pruned.model, samples, dense_per_channel=False)
    network = Network.read(int8).slimmed(keep_metadata=False)
    names = [op.name for op in network.graph.ops]
    for optimize in ("size", "latency"):
        phone = phone_model(network.data, network.quantized(samples[:8]), optimize=optimize, names=names)
        assert phone.warnings == ()
        assert len(phone.data) <= LARGEST_SHARE[name, pattern] * len(network.data)
        assert any(isinstance(check, MobileCheck) for check in phone.figures.checks.values())
        assert all(isinstance(check, Missing) or check.equal for check in phone.figures.checks.values())
