"""The methods that train: the plan exactly, in the int8 file as well, the same weights by seed, clear errors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError, SettingsError
from edgesparse.graph import Graph
from edgesparse.keras_model import LoadedModel, from_object, predict
from edgesparse.keras_model.backend import tf_keras
from edgesparse.quantize import check_zeros, quantize
from edgesparse.settings import TRAINING_METHOD_NAMES
from edgesparse.sparsify import SparsifyResult, Training, iter_kernels, plan, sparsify
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.tflite.read import read_graph

METHODS = [name for name in TRAINING_METHOD_NAMES if name != "finetune"]  # which test_sparsify.py tests
PATTERNS = ("unstructured", "block1x4", "block2x4", "nm=2:4")


def network() -> Any:
    """A convolution with 3x3 and one with 1x1 filters, batch normalization, a hidden dense layer."""
    keras = tf_keras()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 4, 4)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(8, 1, activation="relu", name="pointwise"),
            layers.Flatten(),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="network",
    )


def task(samples: int = 96) -> tuple[Any, Any]:
    """Three classes of 4x4x4 images: which channel is bright."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, samples)
    x = rng.normal(0, 0.5, (samples, 4, 4, 4)).astype(np.float32)
    x[np.arange(samples), :, :, y] += 1.0
    return x, y


def trained(method: str, pattern: str, sparsity: float, **options: Any) -> tuple[LoadedModel, SparsifyResult]:
    x, y = task()
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    training = Training(**{"x": x, "y": y, "epochs": 4, "batch": 16, "seed": 1, **options})
    return loaded, sparsify(loaded, planned, method=method, training=training)


def graph_of(result: SparsifyResult) -> Graph:
    return read_graph(quantize(result.model, task()[0], dense_per_channel=False))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_carries_out_every_pattern_exactly(method: str, pattern: str) -> None:
    sparsity = 0.5 if pattern.startswith("nm=") else 0.77
    loaded, result = trained(method, pattern, sparsity)
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    assert result.plan.sparsity == planned.sparsity
    kernels = {kernel.name: kernel for kernel in iter_kernels(result.model)}
    for layer in planned.layers:
        weights = kernels[layer.name].read()
        if layer.pattern is None:
            assert layer.name not in result.masks
            continue
        keep = kernels[layer.name].to_tflite(result.masks[layer.name])
        assert np.mean(~keep) == layer.sparsity
        assert not weights[~keep].any()
        # Among these weights, the mask is one that the pattern itself could have made.
        np.testing.assert_array_equal(pattern_named(layer.pattern).mask(keep.astype(np.float32), layer.sparsity), keep)
    check_zeros(graph_of(result), result.model, result.masks)


@pytest.mark.parametrize("method", METHODS)
def test_methods_learn(method: str) -> None:
    x, y = task()
    _, result = trained(method, "unstructured", 0.8, epochs=20, learning_rate=1e-2, distill=False)
    assert np.mean(predict(result.model, x).argmax(axis=1) == y) > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_methods_repeat_by_seed_and_say_how_far_they_are(method: str) -> None:
    lines: list[str] = []
    results = [
        trained(method, "block1x4", 0.75, epochs=2, seed=seed, progress=lines.append)[1].model.get_weights()
        for seed in (3, 3, 4)
    ]
    flat = [b"".join(weight.tobytes() for weight in weights) for weights in results]
    assert flat[0] == flat[1] != flat[2]
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 6
    assert epochs[:2] == epochs[2:4]
    match = re.fullmatch(r"epoch 2/2: loss \d+\.\d{4}, zeros (\d+\.\d) %", epochs[1].replace("%", " %"))
    assert match is not None
    assert float(match[1]) >= 75.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": None, "y": None}, "needs samples; give --data"),
        ({"x": task(9)[0], "y": None}, "needs at least 16 samples, got 9"),
        ({"y": None, "distill": False}, r"--no-distill: needs labels; give --data FILE\.npz with x and y"),
        ({"x": task()[0] * np.float32(1e30), "y": None}, "the loss became nan in epoch 1; check the scale"),
        ({"x": np.full((20, 4, 4, 4), np.nan, np.float32), "y": None}, "x holds 1280 values that are NaN"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        trained(method, "unstructured", 0.5, **options)
    assert "\n" not in str(caught.value)


def test_sparsity_zero_only_trains() -> None:
    for method in METHODS:
        loaded, result = trained(method, "unstructured", 0.0, epochs=1)
        assert result.masks == {}
        assert not np.array_equal(result.model.get_weights()[0], loaded.model.get_weights()[0])


# ------------------------------------------------------------------------------------------ gradual


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_the_zeros_of_gradual_follow_the_schedule(schedule: str) -> None:
    lines: list[str] = []
    trained("gradual", "unstructured", 0.8, epochs=10, schedule=schedule, progress=lines.append)
    shares = [float(line.rsplit(" ", 1)[1].rstrip("%")) / 100 for line in lines]
    assert shares == sorted(shares)
    assert shares[-1] >= 0.8
    if schedule == "constant":
        assert min(shares) >= 0.8
    else:
        done = 6 / int(0.7 * 60)  # steps of the first epoch, of those that prune
        assert abs(shares[0] - 0.8 * (1 - (1 - done) ** 3)) < 0.05


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(SettingsError, match="--schedule: expected one of polynomial, constant, got 'linear'"):
        trained("gradual", "unstructured", 0.5, schedule="linear")
