"""Weight clustering: few values per layer, exactly, in the int8 model; zeros stay; the same every time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse import sparsify
from edgesparse.errors import ModelError, SettingsError
from edgesparse.graph import Graph
from edgesparse.keras_model import predict
from edgesparse.keras_model.backend import quiet, tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.normalization import absorb, normalized
from edgesparse.quantize import check_values, check_zeros, match_kernels, quantize
from edgesparse.settings import Settings
from edgesparse.sparsify.cluster import cluster
from edgesparse.sparsify.codebook import Codebook, first_codebook
from edgesparse.tflite import read_graph
from edgesparse.training.checkpoints import Checkpoints
from edgesparse.training.request import Training
from tests.support.interrupt import Stop

X = np.random.default_rng(0).standard_normal((64, 6, 6, 8)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 64)
LAYERS_IN_ORDER = ["plain", "normalized", "separable", "dense", "dense_norm", "dropped"]
LAYERS = set(LAYERS_IN_ORDER)


def network() -> Any:
    """Convolutions and dense layers, with and without batch normalization, whose gammas have either sign."""
    keras = tf_keras()
    with quiet():
        keras.utils.set_random_seed(4)
        layers = keras.layers
        x = inputs = keras.Input((6, 6, 8))
        x = layers.Conv2D(12, 3, activation="relu", name="plain")(x)
        x = layers.ReLU()(
            layers.BatchNormalization(name="n1")(layers.Conv2D(12, 3, use_bias=False, name="normalized")(x))
        )
        x = layers.Flatten()(layers.SeparableConv2D(8, 1, name="separable")(x))
        x = layers.Dense(20, name="dense", activation="relu")(x)
        x = layers.ReLU()(layers.BatchNormalization(name="n2")(layers.Dense(20, name="dense_norm")(x)))
        x = layers.BatchNormalization(scale=False, name="n3")(layers.Dropout(0.1)(layers.Dense(16, name="dropped")(x)))
        model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))
        rng = np.random.default_rng(2)
        for name in ("n1", "n2", "n3"):
            norm = model.get_layer(name)
            values = [rng.uniform(0.5, 2, weight.shape) * rng.choice([-1, 1], weight.shape) for weight in norm.weights]
            norm.set_weights([*values[:-1], np.abs(values[-1])])
    return model


def small_network() -> Any:
    """For tests that train."""
    keras = tf_keras()
    with quiet():
        keras.utils.set_random_seed(4)
        x = inputs = keras.Input((6, 6, 8))
        x = keras.layers.Dense(16, name="dense")(keras.layers.GlobalAveragePooling2D()(x))
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="n2")(x))
        model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="out")(x))
        model.get_layer("n2").gamma.assign(np.linspace(-2, 2, 16))
    return model


def clustered(values: int, **options: Any) -> tuple[sparsify.SparsifyResult, Graph]:
    choices: dict[str, Any] = {"sparsity": 0.5, "pattern": "unstructured", "method": "magnitude", **options}
    per_channel = choices.get("dense_per_channel", False)
    model = network() if choices["method"] == "magnitude" else small_network()
    result = sparsify.prune(model, (X, Y), cluster=values, **choices)
    return result, read_graph(quantize(result.model, X[:32], dense_per_channel=per_channel))


def distinct(result: sparsify.SparsifyResult, graph: Graph) -> dict[str, int]:
    ops = check_zeros(graph, result.model, result.masks)
    return {name: len(np.unique(np.asarray(graph.input(graph.ops[ops[name]], 1).data))) for name in result.clustered}


@pytest.mark.parametrize("values", [3, 16])
def test_each_layer_has_at_most_n_int8_values(values: int) -> None:
    result, graph = clustered(values)
    counts = distinct(result, graph)
    assert counts.keys() == LAYERS
    assert all(1 < count <= values for count in counts.values()), counts
    assert max(counts.values()) == values - 1 + values % 2, "zero, and as many of each sign"


@pytest.mark.parametrize("pattern", ["unstructured", "block1x4", "block4x1", "nm=2:4", "channel"])
def test_zeros_of_every_pattern_stay(pattern: str) -> None:
    result, graph = clustered(16, pattern=pattern)
    counts = distinct(result, graph)  # check_zeros is in it
    assert max(counts.values()) <= 16
    for kernel in iter_kernels(result.model):
        if kernel.name in result.masks:
            assert not np.any(kernel.variable.numpy()[~result.masks[kernel.name]])
    if pattern != "channel":
        assert result.plan.sparsity >= 0.5


def test_dense_layers_with_scales_per_output_have_n_values_too() -> None:
    result, graph = clustered(9, dense_per_channel=True, sparsity=0.0)
    ops = check_zeros(graph, result.model, result.masks)
    scales = graph.input(graph.ops[ops["dense"]], 1).quantization
    assert scales is not None
    assert len(scales.scales) == 20
    assert all(1 < count <= 9 for count in distinct(result, graph).values())


def test_training_keeps_the_values_few_and_learns() -> None:
    lines: list[str] = []
    options: dict[str, Any] = {"method": "finetune", "epochs": 8, "progress": lines.append}
    result, graph = clustered(6, **options)
    assert all(1 < count <= 6 for count in distinct(result, graph).values())
    assert lines.count("clustering the weights of 2 layers: at most 6 values each") == 1
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines if line.startswith("epoch")]
    assert len(losses) == 8 + 4, "half as many epochs again"
    assert losses[-1] < losses[8], "clustering costs, training brings some of it back"
    again, _ = clustered(6, **options)
    assert all(np.array_equal(a, b) for a, b in zip(result.model.get_weights(), again.model.get_weights(), strict=True))


def test_biases_and_normalizations_make_up_for_what_few_values_do_to_the_means() -> None:
    errors = {}
    for samples in (X, None):
        model = network()
        plan = sparsify.plan(model, sparsity=0.0, pattern="unstructured")
        logits = tf_keras().Model(model.inputs, model.get_layer("n3").output)
        before = predict(logits, X)
        assert cluster(model, plan, Training(x=samples, cluster=5), trains=False) == tuple(LAYERS_IN_ORDER)
        errors[samples is None] = float(np.abs(predict(logits, X) - before).mean())
        graph = read_graph(quantize(model, X[:32], dense_per_channel=False))
        ops = match_kernels(graph, iter_kernels(model))
        check_values(graph, ops, LAYERS_IN_ORDER, 5)
    assert errors[False] < 0.5 * errors[True]


def test_clustering_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "sparsity": 0.5,
        "pattern": "unstructured",
        "method": "finetune",
        "epochs": 4,
        "cluster": 6,
    }
    whole = sparsify.prune(small_network(), (X, Y), **options)

    checkpoints = Checkpoints(tmp_path / "state", every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        sparsify.prune(small_network(), (X, Y), checkpoints=checkpoints, progress=Stop("epoch 2/2"), **options)
    lines: list[str] = []
    resumed = sparsify.prune(small_network(), (X, Y), checkpoints=checkpoints, progress=lines.append, **options)
    assert any("going on after epoch 1/2" in line for line in lines)
    assert all(
        np.array_equal(a, b) for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True)
    )


def test_without_the_option_nothing_is_clustered() -> None:
    result, graph = clustered(0)
    assert result.clustered == ()
    ops = check_zeros(graph, result.model, result.masks)
    with pytest.raises(
        ModelError, match=r"layer 'dense' .*: its weights are \d+ distinct values in the int8 model"
    ) as caught:
        check_values(graph, ops, ["dense"], 16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [1, 2, 257, -3])
def test_a_number_of_values_out_of_range_is_refused(values: int) -> None:
    with pytest.raises(SettingsError, match=rf"^--cluster: expected 0, or 3 to 256 values per layer, got {values}$"):
        clustered(values)
    with pytest.raises(SettingsError, match=rf"^cluster: expected 0, or a whole number from 3 to 256, got {values}$"):
        Settings(cluster=values)


# ---------------------------------------------------------------------------------------------------- the codebook


def test_values_that_are_few_already_are_found() -> None:
    scales = np.array([[0.5], [2.0]])
    levels = np.array([[127, -127, 30, 0, 0, -30, 60], [-127, 30, -60, 0, 127, 60, 30]])
    weights = levels / 127 * scales
    book = first_codebook(weights, 7)
    assert book.levels.tolist() == [30, 60, 127]
    np.testing.assert_allclose(book.scales, scales)
    np.testing.assert_allclose(book.shared(weights), weights)


def test_the_largest_weight_of_a_channel_is_at_127_and_zero_at_zero() -> None:
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((10, 50)) * rng.uniform(0.01, 10, (10, 1)) * (rng.random((10, 50)) < 0.5)
    weights[4] = 0
    book = first_codebook(weights, 5)
    codes = book.codes(weights)
    assert set(np.abs(codes).ravel()) <= {0.0, *book.levels}
    assert len(book.levels) == 2
    largest = np.abs(codes).max(axis=1)
    assert np.all(np.delete(largest, 4) == 127)
    assert not np.any(codes[weights == 0])
    assert not np.any(book.shared(weights)[4])


def test_refining_lowers_the_error_of_a_codebook() -> None:
    weights = np.random.default_rng(3).standard_normal((1, 4000))
    book = Codebook(np.array([20.0, 40.0, 127.0]), np.abs(weights).max(axis=1, keepdims=True))
    errors = []
    for _ in range(10):
        errors.append(float(np.square(book.shared(weights) - weights).sum()))
        book = book.refined(weights)
    assert errors[-1] < 0.8 * errors[0]
    assert all(after <= before * 1.01 for before, after in pairwise(errors))


# ------------------------------------------------------------------------------------------------ normalizations


def test_normalizations_behind_dense_layers_are_found_and_absorbed() -> None:
    model = network()
    before = predict(model, X)
    layers = dict(iter_layers(model))
    norms = normalized(model, "Dense")
    assert {path: norm.name for path, norm in norms.items()} == {"dense_norm": "n2", "dropped": "n3"}
    assert normalized(model, "Conv2D").keys() == {"normalized"}
    for path, norm in norms.items():
        absorb(layers[path], norm)
        assert np.allclose(norm.moving_variance.numpy() + norm.epsilon, 1)
    np.testing.assert_allclose(predict(model, X), before, atol=1e-5)


def test_a_normalization_is_left_alone_where_others_read_the_layer_too() -> None:
    keras = tf_keras()
    layers = keras.layers
    inputs = keras.Input((6,))
    x = layers.Dense(4)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))
    assert normalized(model, "Dense") == {}
