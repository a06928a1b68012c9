"""Keras networks of which the converter leaves MUL, ADD and SUB: normalizations not folded, gates, scalings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgesparse
from edgesparse.keras_model import from_object, input_shape
from edgesparse.keras_model.backend import tf_keras
from edgesparse.lowering.lower import lower
from edgesparse.quantize import quantize
from edgesparse.sparsify import plan, sparsify
from edgesparse.tflite.read import read_graph
from tests.conftest import skip_or_fail
from tests.support.fast_share import few
from tests.support.host_kernels import DSP, Case, run_cases
from tests.support.reference import tflm_output

Layers = Any
CONV = {"padding": "same", "activation": "relu"}


def _head(layers: Layers, x: Any) -> Any:
    return layers.Dense(3, activation="softmax", name="out")(layers.GlobalAveragePooling2D()(x))


def conv_relu_norm(layers: Layers, x: Any) -> Any:
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, name="a", **CONV)(x))
    x = layers.MaxPooling2D()(layers.BatchNormalization()(layers.Conv2D(16, 3, name="b", **CONV)(x)))
    return _head(layers, layers.BatchNormalization()(layers.Conv2D(8, 1, name="c", **CONV)(x)))


def conv_relu_norm_valid(layers: Layers, x: Any) -> Any:
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, activation="relu", name="a")(x))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, activation="relu", name="b")(x))
    return layers.Dense(3, activation="softmax", name="out")(layers.Flatten()(x))


def norm_first(layers: Layers, x: Any) -> Any:
    return _head(layers, layers.Conv2D(8, 3, name="a", **CONV)(layers.BatchNormalization()(x)))


def norm_behind_add(layers: Layers, x: Any) -> Any:
    x = layers.Conv2D(8, 3, name="a", **CONV)(x)
    y = layers.ReLU()(layers.BatchNormalization()(layers.Add()([x, layers.Conv2D(8, 3, padding="same", name="b")(x)])))
    return _head(layers, y)


def dense_relu_norm(layers: Layers, x: Any) -> Any:
    x = layers.Flatten()(x)
    for name in "ab":
        x = layers.BatchNormalization()(layers.Dense(12, activation="relu", name=name)(x))
    return layers.Dense(3, activation="softmax", name="out")(x)


def squeeze_and_excitation(layers: Layers, x: Any) -> Any:
    x = layers.Conv2D(8, 3, name="a", **CONV)(x)
    gate = layers.Dense(4, activation="relu", name="squeeze")(layers.GlobalAveragePooling2D()(x))
    gate = layers.Reshape((1, 1, 8))(layers.Dense(8, activation="sigmoid", name="excite")(gate))
    return _head(layers, layers.Conv2D(8, 3, name="b", **CONV)(layers.Multiply()([x, gate])))


def scaled_residual(layers: Layers, x: Any) -> Any:
    x = layers.Conv2D(8, 3, name="a", **CONV)(layers.Rescaling(1 / 127.5, offset=-1.0)(x))
    y = layers.Conv2D(8, 3, padding="same", activation="swish", name="b")(x)
    return _head(layers, layers.Subtract()([layers.BatchNormalization()(x), y * 0.3]))


def standardized(layers: Layers, x: Any) -> Any:
    x = layers.Normalization(mean=[0.1, -0.2, 0.3, 0.0], variance=[0.5, 1.0, 2.0, 1.5])(x)
    return _head(layers, layers.Conv2D(8, 3, name="a", **CONV)(x))


def masked(layers: Layers, x: Any) -> Any:
    x = layers.Conv2D(8, 3, name="a", **CONV)(x)
    return _head(layers, layers.Multiply()([x, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)]))


NETWORKS: dict[str, tuple[Callable[[Layers, Any], Any], set[str]]] = {
    function.__name__: (function, kinds)
    for function, kinds in (
        (conv_relu_norm, {"MUL", "ADD"}),
        (squeeze_and_excitation, {"MUL"}),
        (norm_behind_add, {"MUL", "ADD"}),
        (standardized, {"SUB", "MUL"}),
        (conv_relu_norm_valid, {"MUL", "ADD"}),
        (norm_first, {"MUL", "ADD"}),
        (dense_relu_norm, set()),  # folded into the dense layers behind them
        (scaled_residual, {"SUB", "MUL", "ADD"}),
        (masked, {"MUL"}),
    )
}


def network(name: str) -> Any:
    keras = tf_keras()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, NETWORKS[name][0](keras.layers, inputs), name=name)
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights + [w for w in model.non_trainable_weights if "moving" in w.name]:
        if "gamma" in weight.name or "variance" in weight.name:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif "kernel" not in weight.name:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def samples(model: Any, n: int = 32) -> Any:
    return np.random.default_rng(2).normal(0, 1, (n, *input_shape(model))).astype(np.float32)


@pytest.mark.parametrize("name", few(list(NETWORKS), of=1))
def test_kernels_equal_the_reference(name: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    model = network(name)
    data = quantize(model, samples(model), dense_per_channel=False)
    graph = read_graph(data)
    assert {op.kind for op in graph.ops} >= NETWORKS[name][1]
    cases, expected = [], []
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, (1, 8, 8, 4)).astype(np.int8)
        cases.append(Case(graph, lower(graph, DSP), x.tobytes()))
        expected.append(tflm_output(data, [x]).tobytes())
    output = graph.outputs[0]
    for case, result, reference in zip(cases, run_cases(tmp_path, cases), expected, strict=True):
        assert result[case.packed.aliases.get(output, output)].tobytes() == reference


@pytest.mark.parametrize("name", few(list(NETWORKS), of=1))
def test_they_convert_with_fewer_channels(name: str, tmp_path: Path) -> None:
    """Channels go through normalizations that do not follow their convolution, and through gates."""
    model = network(name)
    np.savez(tmp_path / "data.npz", x=samples(model))
    report = edgesparse.convert(
        model, out=tmp_path / "out", data=str(tmp_path / "data.npz"), sparsity=0.5, channels=0.2, vectors=3
    )
    assert report.bit_exact.ok
    assert report.model.sparsity >= 0.5
    assert report.model.channels.removed_macs >= 0.2
    kept = [warning for warning in report.warnings if "keeps all channels" in warning]
    assert len(kept) == (name == "masked"), kept  # its mask has one channel, for all


def test_zeros_are_proven_behind_a_normalization_that_was_folded() -> None:
    """A unit that is nearly always off has a scale that hides all other columns of the next layer."""
    from edgesparse.quantize import check_zeros

    model = network("dense_relu_norm")
    norm = model.layers[3]
    gamma, beta, mean, variance = norm.get_weights()
    gamma[:2], variance[:2] = -3.0, 1e-4
    norm.set_weights([gamma, beta, mean, variance])
    loaded = from_object(model)
    result = sparsify(loaded, plan(loaded.model, sparsity=0.5, pattern="unstructured"), method="magnitude")
    graph = read_graph(quantize(result.model, samples(model), dense_per_channel=False))
    assert "MUL" not in {op.kind for op in graph.ops}
    assert {"a", "b"} <= set(check_zeros(graph, result.model, result.masks))
