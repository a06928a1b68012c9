"""The plan reaches the sparsity that was asked for, and the sparsifiers carry it out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError, ModelError, SettingsError
from edgesparse.keras_model import LoadedModel, from_object
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.check_data import check_data
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.training.request import Training
from tests.support.random_models import random_model


def network(*, channels: int = 8, classes: int = 3, last: int = 40) -> Any:
    """stem (3 input channels) - conv - depthwise - pointwise - dense - nested final dense."""
    keras = tf_keras()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    x = inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(channels, 3, name="stem")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.SeparableConv2D(8, 3, padding="same", name="separable")(x)
    x = layers.Dense(last, name="dense")(layers.Flatten()(x))
    head = keras.Sequential(
        [keras.Input((last,)), layers.Dense(classes, activation="softmax", name="out")], name="head"
    )
    return keras.Model(inputs, head(x), name="network")


def sparsity_of(result: SparsifyResult) -> dict[str, float]:
    return {kernel.name: float(np.mean(kernel.read() == 0)) for kernel in iter_kernels(result.model)}


def test_prunable_layers_are_those_of_the_definition() -> None:
    layers = {layer.name: layer for layer in plan(network(), sparsity=0.75, pattern="auto").layers}
    assert {name: layer.prunable for name, layer in layers.items()} == {
        "stem": False,
        "conv": True,
        "depthwise": False,
        "separable": True,
        "dense": True,
        "head/out": False,
    }
    assert layers["stem"].reason == "convolution with 3 input channels, fewer than 4"
    assert layers["head/out"].reason.startswith("final dense layer with 1.8% of the prunable weights")
    assert layers["conv"].shape == (16, 3, 3, 8)
    assert layers["separable"].shape == (8, 1, 1, 16)
    assert layers["dense"].shape == (40, 128)


def test_a_final_dense_layer_with_many_weights_is_prunable() -> None:
    layers = {layer.name: layer for layer in plan(network(classes=30), sparsity=0.75, pattern="auto").layers}
    assert layers["head/out"].prunable


@pytest.mark.parametrize("pattern", ["auto", "unstructured", "block", "block1x4"])
@pytest.mark.parametrize("sparsity", [0.0, 0.31, 0.75, 0.9, 0.95])
def test_the_total_is_at_least_the_target_and_within_one_unit(pattern: str, sparsity: float) -> None:
    model = network()
    result = plan(model, sparsity=sparsity, pattern=pattern)
    zeros = sum(round(layer.sparsity * layer.weights) for layer in result.layers)
    assert result.prunable_weights == sum(layer.weights for layer in result.layers if layer.prunable)
    assert (
        sparsity * result.prunable_weights
        <= zeros + 1e-6
        < sparsity * result.prunable_weights + (8 if pattern == "block" else 4)
    )
    assert result.sparsity == zeros / result.prunable_weights
    assert result.warnings == ()


def test_layers_that_a_pattern_does_not_fit_count_and_are_made_up_for() -> None:
    model = network(channels=6)  # conv reads 6 channels: 864 weights of 6,112
    blocks = plan(model, sparsity=0.75, pattern="block1x4")
    layers = {layer.name: layer for layer in blocks.layers}
    assert layers["conv"].pattern is None
    assert layers["conv"].prunable
    assert layers["dense"].sparsity > 0.85
    assert 0.75 <= blocks.sparsity < 0.751
    assert blocks.warnings == (
        "layer 'conv' stays dense: block1x4 needs input channels % 4 == 0, got 6; the other layers are pruned"
        " more to make up for it",
    )
    auto = {layer.name: layer for layer in plan(model, sparsity=0.75, pattern="auto").layers}
    assert auto["conv"].pattern == "unstructured"
    assert auto["conv"].reason == "unstructured: block1x4 needs input channels % 4 == 0, got 6"
    assert auto["dense"].pattern == "block1x4"


def test_a_sparsity_out_of_reach_says_which_can_be_reached() -> None:
    with pytest.raises(
        SettingsError, match=r"0\.9 cannot be reached since 'conv' must stay dense: at most 0\.8\d\d? with this pattern"
    ):
        plan(network(channels=6), sparsity=0.9, pattern="block1x4")


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5, float("nan")])
def test_a_sparsity_out_of_range_is_refused(sparsity: float) -> None:
    with pytest.raises(SettingsError, match=r"--sparsity: expected 0 to 0\.99"):
        plan(network(), sparsity=sparsity, pattern="auto")


def test_an_unknown_pattern_or_method_is_refused() -> None:
    with pytest.raises(SettingsError, match="--pattern: 'diagonal' is not known; choose one of: auto"):
        plan(network(), sparsity=0.5, pattern="diagonal")
    with pytest.raises(SettingsError, match="disagree"):
        plan(network(), sparsity=0.7, pattern="nm=2:4")
    model = network()
    with pytest.raises(
        SettingsError, match="--method: 'magic' is not known; choose one of: oneshot, magnitude, finetune"
    ):
        sparsify(from_object(model), plan(model, sparsity=0.5, pattern="auto"), method="magic")


def test_a_model_without_prunable_layers_is_refused() -> None:
    keras = tf_keras()
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
    with pytest.raises(ModelError, match="no layer can be pruned"):
        plan(model, sparsity=0.5, pattern="auto")


def test_oneshot_gives_the_planned_zeros_and_leaves_the_input_alone() -> None:
    loaded = from_object(network())
    before = [weight.copy() for weight in loaded.model.get_weights()]
    planned = plan(loaded.model, sparsity=0.8, pattern="auto")
    result = sparsify(loaded, planned, method="oneshot")
    sparsities = sparsity_of(result)
    assert sparsities == {layer.name: layer.sparsity for layer in planned.layers}
    for old, new in zip(before, loaded.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    kernels = {kernel.name: kernel for kernel in iter_kernels(result.model)}
    assert set(result.masks) == {"conv", "separable", "dense"}
    for name, mask in result.masks.items():
        assert mask.shape == tuple(kernels[name].variable.shape)
        assert not np.any(kernels[name].variable.numpy()[~mask])


def test_block_takes_2x4_in_dense_layers_and_1x4_in_convolutions() -> None:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.75, pattern="block")
    assert {layer.name: layer.pattern for layer in planned.layers if layer.prunable} == {
        "conv": "block1x4",
        "separable": "block1x4",
        "dense": "block2x4",
    }
    result = sparsify(loaded, planned, method="oneshot")
    weights = {kernel.name: kernel.read() for kernel in iter_kernels(result.model)}["dense"]
    blocks = weights.reshape(20, 2, 32, 4) != 0
    assert np.array_equal(blocks.any(axis=(1, 3)), blocks.all(axis=(1, 3)))


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (3, 8)])
def test_n_of_m_keeps_n_of_every_group(n: int, m: int) -> None:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=1 - n / m, pattern=f"nm={n}:{m}")
    assert planned.sparsity == 1 - n / m
    result = sparsify(loaded, planned, method="oneshot")
    for kernel in iter_kernels(result.model):
        if kernel.name in ("conv", "separable", "dense"):
            assert set(np.count_nonzero(kernel.read().reshape(-1, m), axis=1)) == {n}


def test_n_of_m_cannot_be_made_up_for_by_other_layers() -> None:
    with pytest.raises(SettingsError, match="cannot be reached since 'conv' must stay dense"):
        plan(network(channels=6), sparsity=0.5, pattern="nm=2:4")


def test_blocks_lie_along_the_input_channels() -> None:
    loaded = from_object(network())
    result = sparsify(loaded, plan(loaded.model, sparsity=0.75, pattern="block1x4"), method="oneshot")
    for name, mask in result.masks.items():
        groups = np.moveaxis(mask, -1, 0).reshape(-1, 4)
        assert np.all(groups.all(axis=1) | ~groups.any(axis=1)), name


def test_sparsity_zero_changes_nothing() -> None:
    loaded = from_object(network())
    result = sparsify(loaded, plan(loaded.model, sparsity=0.0, pattern="auto"), method="oneshot")
    assert result.masks == {}
    for old, new in zip(loaded.model.get_weights(), result.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("seed", range(8))
def test_random_models_reach_their_plan(seed: int) -> None:
    loaded = from_object(random_model(seed))
    planned = plan(loaded.model, sparsity=0.75, pattern="auto")
    result = sparsify(loaded, planned, method="oneshot")
    assert sparsity_of(result) == {layer.name: layer.sparsity for layer in planned.layers}


# ------------------------------------------------------------------------------------------ fine-tuning


def task(samples: int = 192) -> tuple[Any, Any]:
    """Three classes of 6x6x3 images: which channel is bright."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, samples)
    x = rng.normal(0, 0.5, (samples, 6, 6, 3)).astype(np.float32)
    x[np.arange(samples), :, :, y] += 1.0
    return x, y


@pytest.fixture(scope="module")
def tuned() -> tuple[LoadedModel, Any, SparsifyResult, list[str]]:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.8, pattern="block1x4")
    x, y = task()
    lines: list[str] = []
    training = Training(x=x, y=y, epochs=8, seed=1, batch=16, learning_rate=1e-2, progress=lines.append)
    return loaded, planned, sparsify(loaded, planned, method="finetune", training=training), lines


def test_finetuning_learns_and_keeps_the_plan(tuned: tuple[LoadedModel, Any, SparsifyResult, list[str]]) -> None:
    from edgesparse.keras_model import predict

    loaded, _, result, lines = tuned
    x, y = task()
    zeros = {layer.name: layer.sparsity for layer in result.plan.layers}
    assert np.mean(predict(result.model, x).argmax(axis=1) == y) > 0.9
    sparsities = sparsity_of(result)
    for layer in result.plan.layers:
        if layer.pattern is not None:
            groups = np.moveaxis(result.masks[layer.name], -1, 0).reshape(-1, 4)
            assert np.all(groups.all(axis=1) | ~groups.any(axis=1))
    assert sparsities == zeros
    assert 0.8 <= result.plan.sparsity < 0.801
    epochs = [line.split(":")[0] for line in lines if line.startswith("epoch")]
    assert epochs == [f"epoch {i}/8" for i in range(1, 9)]
    gammas = [m.get_layer("norm").get_weights()[0] for m in (loaded.model, result.model)]
    assert not np.allclose(*gammas)  # batch normalization trained as well


def test_finetuning_repeats_by_seed() -> None:
    x, y = task(64)
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.7, pattern="auto")
    results = [
        sparsify(loaded, planned, method="finetune", training=Training(x=x, y=y, epochs=1, seed=seed))
        for seed in (3, 3, 4)
    ]
    weights = [np.concatenate([w.ravel() for w in result.model.get_weights()]) for result in results]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_finetuning_takes_float_targets() -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(7)
    loaded = from_object(keras.Sequential([keras.Input((8,)), keras.layers.Dense(8), keras.layers.Dense(8)]))
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    result = sparsify(loaded, planned, method="finetune", training=Training(x=x, y=x.astype(np.float64), epochs=2))
    assert sum(sparsity_of(result).values()) == 1.0  # of two layers of one size


def test_finetuning_takes_a_sigmoid_and_binary_labels() -> None:
    keras = tf_keras()
    loaded = from_object(
        keras.Sequential([keras.Input((8,)), keras.layers.Dense(8), keras.layers.Dense(1, activation="sigmoid")])
    )
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    y = (x[:, :1] > 0).astype(np.int64)
    result = sparsify(
        loaded,
        plan(loaded.model, sparsity=0.5, pattern="auto"),
        method="finetune",
        training=Training(x=x, y=y, epochs=1),
    )
    assert all(np.isfinite(weight).all() for weight in result.model.get_weights())


def test_finetuning_without_labels_learns_from_the_unpruned_model() -> None:
    from edgesparse.keras_model import predict

    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.8, pattern="auto")
    x, y = task()
    expected = predict(loaded.model, x)
    errors = {}
    for method, training in {
        "oneshot": Training(x=x),
        "finetune": Training(x=x, epochs=15, batch=16),
        "labels left out": Training(x=x, y=y, labels=False, epochs=15, batch=16),
    }.items():
        result = sparsify(loaded, planned, method=method.replace("labels left out", "finetune"), training=training)
        errors[method] = float(np.mean((predict(result.model, x) - expected) ** 2))
    assert errors["finetune"] < 0.5 * errors["oneshot"]
    assert errors["labels left out"] == errors["finetune"]


def test_finetuning_with_labels_only_does_not_ask_the_unpruned_model() -> None:
    from edgesparse.keras_model import predict

    x, y = task()
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    training = Training(x=x, y=(y + 1) % 3, distill=False, epochs=8, batch=16, learning_rate=1e-2)
    result = sparsify(loaded, planned, method="finetune", training=training)
    assert np.mean(predict(result.model, x).argmax(axis=1) == (y + 1) % 3) > 0.9


@pytest.mark.parametrize("training", [{"y": None, "distill": False}, {"distill": False, "labels": False}])
def test_finetuning_with_nothing_to_learn_from_is_refused(training: dict[str, Any]) -> None:
    loaded = from_object(network())
    x, y = task()
    with pytest.raises(DataError, match=r"finetune --no-distill: needs labels; give --data FILE\.npz with x and y"):
        sparsify(
            loaded,
            plan(loaded.model, sparsity=0.5, pattern="auto"),
            method="finetune",
            training=Training(**{"x": x, "y": y, **training}),
        )


def test_methods_that_need_samples_say_so() -> None:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    with pytest.raises(DataError, match="finetune: needs samples"):
        sparsify(loaded, planned, method="finetune")
    with pytest.raises(DataError, match="needs at least 16 samples, got 9"):
        sparsify(loaded, planned, method="finetune", training=Training(x=task(9)[0]))


def test_oneshot_without_samples_is_magnitude_and_warns() -> None:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    blind, magnitude = (sparsify(loaded, planned, method=method) for method in ("oneshot", "magnitude"))
    for a, b in zip(blind.model.get_weights(), magnitude.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert magnitude.warnings == ()
    assert blind.warnings[0].startswith("pruned by magnitude, for want of samples; --data FILE")


def test_magnitude_looks_at_no_samples() -> None:
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=0.5, pattern="auto")
    results = [sparsify(loaded, planned, method="magnitude", training=Training(x=x)) for x in (None, task()[0])]
    for a, b in zip(*(result.model.get_weights() for result in results), strict=True):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------------------ data


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 6, 6)), None, r"x: expected shape \(n, 6, 6, 3\), got \(4, 6, 6\)"),
        (np.zeros((0, 6, 6, 3)), None, "x holds no samples"),
        (np.zeros((4, 6, 6, 3)), np.zeros(3, np.int64), "y: expected 4 labels, one per sample in x, got 3"),
        (np.zeros((4, 6, 6, 3)), np.array([0, 1, 2, 3]), "y: expected class numbers 0 to 2, got 0 to 3"),
        (
            np.zeros((4, 6, 6, 3)),
            np.zeros((4, 3), np.int64),
            r"y: expected class numbers of shape \(n,\), got \(4, 3\)",
        ),
        (np.zeros((4, 6, 6, 3)), np.zeros((4, 2)), r"y: expected floats of shape \(n, 3\), got \(4, 2\)"),
        (np.zeros((4, 6, 6, 3)), np.array(["a"] * 4), "y: expected integer class numbers or float targets"),
    ],
)
def test_data_that_does_not_fit_is_refused(x: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_data(network(), x, y)
