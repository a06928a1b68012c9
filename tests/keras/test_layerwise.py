"""Pruning a whole network on samples: totals, what it costs, what it leaves alone, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError
from edgesparse.keras_model import LoadedModel, from_object, input_shape, predict
from edgesparse.keras_model.backend import tensorflow, tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.sparsify.layer_inputs import has_rows, input_rows
from edgesparse.training.request import Training
from tests.support.random_models import random_model

PATTERNS = [("unstructured", 0.6), ("auto", 0.6), ("block", 0.6), ("block1x4", 0.6), ("nm=2:4", 0.5)]


def samples(model: Any, n: int = 80, seed: int = 0) -> Any:
    """Smooth inputs: neighbours are alike, as in real data."""
    values = np.random.default_rng(seed).standard_normal((n, *input_shape(model))).astype(np.float32)
    return (values + np.roll(values, 1, axis=-1) + np.roll(values, 1, axis=1)) / np.sqrt(3)


def residual_network() -> Any:
    """Convolutions with and without bias and batch normalization, an addition, a separable one, a nested head."""
    keras = tf_keras()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    y = layers.Conv2D(8, 3, padding="same", activation="relu", name="branch")(x)
    x = layers.Add()([x, y])
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same", activation="relu", name="separable")(x)
    x = layers.Conv2D(8, 1, use_bias=False, name="bare")(x)
    head = keras.Sequential([keras.Input((128,)), layers.Dense(24, activation="relu", name="hidden")], name="head")
    x = layers.Dense(8, name="out")(head(layers.Flatten()(x)))
    return keras.Model(inputs, x, name="residual")


def run(
    loaded: LoadedModel, pattern: str, sparsity: float, method: str = "oneshot", n: int = 80, **training: Any
) -> SparsifyResult:
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    return sparsify(loaded, planned, method=method, training=Training(x=samples(loaded.model, n), **training))


def zeros_of(result: SparsifyResult) -> dict[str, int]:
    return {kernel.name: int(np.count_nonzero(kernel.read() == 0)) for kernel in iter_kernels(result.model)}


def error(loaded: LoadedModel, result: SparsifyResult) -> float:
    """Mean squared error of the outputs on inputs that pruning did not see, as a share of their variance."""
    x = samples(loaded.model, 200, seed=9)
    expected = predict(loaded.model, x)
    return float(np.mean((predict(result.model, x) - expected) ** 2) / expected.var())


@pytest.mark.parametrize(("pattern", "sparsity"), PATTERNS)
def test_the_total_is_the_plans_and_the_outputs_are_closer_than_by_magnitude(pattern: str, sparsity: float) -> None:
    loaded = from_object(residual_network())
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    result = run(loaded, pattern, sparsity)
    zeros = sum(zeros_of(result).values())
    assert sparsity * planned.prunable_weights <= zeros + 1e-6 < sparsity * planned.prunable_weights + 8
    assert zeros_of(result) == {layer.name: round(layer.sparsity * layer.weights) for layer in result.plan.layers}
    assert result.plan.sparsity == zeros / planned.prunable_weights
    for kernel in iter_kernels(result.model):
        if kernel.name in result.masks:
            np.testing.assert_array_equal(kernel.variable.numpy() != 0, result.masks[kernel.name])
    # 80 samples, fewer than the widest dense layer has inputs.
    assert error(loaded, result) < 0.8 * error(loaded, run(loaded, pattern, sparsity, "magnitude"))


@pytest.mark.parametrize("seed", range(8))
def test_random_models_reach_their_total(seed: int) -> None:
    loaded = from_object(random_model(seed))
    planned = plan(loaded.model, sparsity=0.7, pattern="auto")
    result = run(loaded, "auto", 0.7)
    assert 0.7 * planned.prunable_weights <= sum(zeros_of(result).values()) + 1e-6 < 0.7 * planned.prunable_weights + 4
    assert all(np.isfinite(weight).all() for weight in result.model.get_weights())
    assert result.warnings == ()


def test_the_same_seed_gives_the_same_weights_and_the_model_is_left_alone() -> None:
    loaded = from_object(residual_network())
    before = [weight.copy() for weight in loaded.model.get_weights()]
    first, second = (run(loaded, "auto", 0.5).model.get_weights() for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, loaded.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_labels_are_not_used() -> None:
    loaded = from_object(residual_network())
    with_labels = run(loaded, "auto", 0.5, y=np.arange(80) % 8)
    for a, b in zip(run(loaded, "auto", 0.5).model.get_weights(), with_labels.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sparsity_zero_changes_nothing() -> None:
    loaded = from_object(residual_network())
    result = run(loaded, "auto", 0.0)
    assert result.masks == {}
    for a, b in zip(loaded.model.get_weights(), result.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_before_the_first_pruned_one_stay_as_they_are() -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    loaded = from_object(
        keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(8, 3, name="stem"),
                layers.BatchNormalization(name="norm"),
                layers.DepthwiseConv2D(3, name="depthwise"),
                layers.Conv2D(8, 1, name="pruned"),
                layers.Flatten(),
                layers.Dense(2, name="out"),
            ]
        )
    )
    result = run(loaded, "auto", 0.5)
    for name in ("stem", "norm", "depthwise"):
        old, new = (model.get_layer(name).get_weights() for model in (loaded.model, result.model))
        for a, b in zip(old, new, strict=True):
            np.testing.assert_array_equal(a, b)


def test_zeros_that_were_there_before_stay_and_count() -> None:
    loaded = from_object(residual_network())
    kernel = loaded.model.get_layer("branch").kernel
    kernel.assign(np.where(np.arange(8) < 4, 0, kernel.numpy()))  # outputs 0 to 3
    result = run(loaded, "unstructured", 0.6)
    assert not result.model.get_layer("branch").kernel.numpy()[..., :4].any()
    total = result.plan.prunable_weights
    assert 0.6 * total <= sum(zeros_of(result).values()) + 1e-6 < 0.6 * total + 1


def test_batch_normalization_follows_its_inputs() -> None:
    loaded = from_object(residual_network())
    norm = loaded.model.get_layer("norm")
    norm.set_weights([np.ones(8), np.zeros(8), np.zeros(8), np.full(8, 0.5, np.float32)])
    result = run(loaded, "unstructured", 0.9)
    tf = tensorflow()
    x = tf.constant(samples(loaded.model))
    before, after = (model.get_layer("first")(x).numpy().reshape(-1, 8) for model in (loaded.model, result.model))
    mean, variance = result.model.get_layer("norm").get_weights()[2:]
    np.testing.assert_allclose(mean, after.mean(axis=0) - before.mean(axis=0), atol=1e-4)
    ratio = (after.var(axis=0) + 1e-3) / (before.var(axis=0) + 1e-3)
    np.testing.assert_allclose(variance + 1e-3, ratio * (0.5 + 1e-3), rtol=1e-3)


def test_a_bias_takes_up_the_mean_that_pruning_moves() -> None:
    loaded = from_object(residual_network())
    result = run(loaded, "unstructured", 0.8)
    x = samples(loaded.model)
    np.testing.assert_allclose(predict(result.model, x).mean(axis=0), predict(loaded.model, x).mean(axis=0), atol=1e-4)


def test_shared_layers_and_layers_in_wrappers_and_groups_are_pruned() -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = inputs = keras.Input((4, 8))
    shared = layers.Dense(8, name="shared")
    x = shared(layers.ReLU()(shared(x)))
    x = layers.TimeDistributed(layers.Dense(16), name="each")(x)
    x = layers.Conv1D(16, 3, padding="causal", groups=2, name="grouped")(x)
    loaded = from_object(keras.Model(inputs, layers.Dense(8, name="out")(layers.Flatten()(x))))
    result = run(loaded, "unstructured", 0.5)
    total = result.plan.prunable_weights
    assert 0.5 * total <= sum(zeros_of(result).values()) + 1e-6 < 0.5 * total + 1
    assert set(result.masks) == {"shared", "each/dense", "grouped", "out"} or len(result.masks) == 4


def test_too_few_samples_are_refused() -> None:
    loaded = from_object(residual_network())
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    with pytest.raises(DataError, match="needs at least 16 samples, got 15; give more, or use --method magnitude"):
        sparsify(loaded, planned, method="oneshot", training=Training(x=samples(loaded.model, 15)))


def test_values_that_overflow_are_refused_with_the_layers_name() -> None:
    loaded = from_object(residual_network())
    loaded.model.get_layer("first").kernel.assign(np.full((3, 3, 4, 8), 10, np.float32))
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    with (
        np.errstate(all="ignore"),
        pytest.raises(DataError, match="layer 'first': the samples of --data make its values overflow"),
    ):
        sparsify(loaded, planned, method="oneshot", training=Training(x=samples(loaded.model) * np.float32(2e37)))


def test_nan_in_the_samples_is_refused() -> None:
    loaded = from_object(residual_network())
    x = samples(loaded.model)
    x[3, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="x holds 1 values that are NaN or infinite"):
        sparsify(loaded, plan(loaded.model, sparsity=0.5, pattern="auto"), method="oneshot", training=Training(x=x))


# ------------------------------------------------------------------------------------------ rows


@pytest.mark.parametrize(
    ("kind", "options", "shape"),
    [
        ("Dense", {}, (6,)),
        ("Dense", {}, (3, 5, 6)),
        ("Conv2D", {"kernel_size": 3, "padding": "same", "strides": 2}, (7, 6, 4)),
        ("Conv2D", {"kernel_size": (3, 1), "dilation_rate": (2, 1)}, (9, 4, 4)),
        ("Conv1D", {"kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (9, 4)),
        ("Conv1D", {"kernel_size": 4, "strides": 2, "padding": "same"}, (9, 4)),
        ("SeparableConv2D", {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2}, (7, 6, 4)),
        ("SeparableConv1D", {"kernel_size": 3, "strides": 2}, (9, 4)),
        ("SeparableConv1D", {"kernel_size": 3, "padding": "causal"}, (9, 4)),
    ],
)
def test_rows_times_the_kernel_are_the_layers_outputs(
    kind: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(4)
    layer = getattr(keras.layers, kind)(5, bias_initializer="uniform", **options)
    model = keras.Sequential([keras.Input(shape), layer])
    x = np.random.default_rng(0).standard_normal((3, *shape)).astype(np.float32)
    expected = predict(model, x).reshape(-1, 5)
    (kernel,) = iter_kernels(model)
    positions = np.arange(0, len(expected), 2)
    assert has_rows(layer)
    rows = input_rows(layer, tensorflow().constant(x), positions)
    got = rows @ kernel.read().reshape(5, -1).T + layer.bias.numpy()
    np.testing.assert_allclose(got, expected[positions], atol=1e-5)


def test_layers_that_are_no_single_product_are_told_apart() -> None:
    layers = tf_keras().layers
    assert not has_rows(layers.DepthwiseConv2D(3))
    assert not has_rows(layers.Conv2D(8, 3, groups=2))
