"""DropConnect drops weights in training only, and loading a model takes it out again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse import sparsify
from edgesparse.errors import EdgesparseError, ModelError, SettingsError, UnsupportedError
from edgesparse.keras_model import from_object, iter_layers, load, predict
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.layers import DropConnect

X = np.random.default_rng(0).standard_normal((32, 8, 8, 3)).astype(np.float32)
KINDS = ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Flatten", "Dense"]


def network() -> Any:
    """Each of the first three layers in KINDS, and the last, in a DropConnect."""
    keras = tf_keras()
    with quiet():
        keras.utils.set_random_seed(3)
        layers = keras.layers
        inner = keras.Sequential([DropConnect(layers.DepthwiseConv2D(3), 0.3), layers.ReLU()], name="inner")
        x = inputs = keras.Input((8, 8, 3))
        x = inner(DropConnect(layers.Conv2D(6, 3, activation="relu", name="stem"), 0.3, seed=1)(x))
        x = layers.Flatten()(DropConnect(layers.SeparableConv2D(4, 3))(x))
        x = DropConnect(layers.Dense(5, activation="softmax", name="wrapped"), name="digit")(x)
        model = keras.Model(inputs, x, name="dropped")
        for weight in model.weights:  # biases are zero otherwise
            weight.assign(weight + 0.1)
    return model


def identity(rate: float, seed: int | None = 5, width: int = 200) -> Any:
    """A Dense layer whose outputs for the rows of the identity are its weights, all of them 1, plus a bias of 7."""
    keras = tf_keras()
    sevens = keras.initializers.Constant(7.0)
    layer = DropConnect(keras.layers.Dense(width, kernel_initializer="ones", bias_initializer=sevens), rate, seed)
    layer.build((None, width))
    return layer


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.9])
def test_training_drops_this_share_of_the_weights_and_scales_the_others(rate: float) -> None:
    layer = identity(rate)
    weights = layer(np.eye(200, dtype=np.float32), training=True).numpy() - 7.0  # the bias stays
    values = [1.0] if rate == 0 else [0.0, 1 / (1 - rate)]
    np.testing.assert_allclose(np.unique(weights.round(3)), values, atol=1e-3)
    assert abs(np.mean(weights == 0) - rate) < 0.01  # of 40,000 weights
    assert abs(weights.mean() - 1.0) < 0.05
    again = layer(np.eye(200, dtype=np.float32), training=True).numpy() - 7.0
    assert np.array_equal(weights, again) == (rate == 0), "another mask in each step"
    assert np.all(layer.layer.kernel.numpy() == 1), "the weights themselves stay"


def test_the_gradient_reaches_the_weights_that_are_not_dropped() -> None:
    tf = tensorflow()
    layer = identity(0.5)
    with tf.GradientTape() as tape:
        outputs = layer(np.eye(200, dtype=np.float32), training=True)
    gradient = tape.gradient(outputs, layer.layer.kernel).numpy()
    assert np.array_equal(gradient, outputs.numpy() - 7.0), "0, or 2 for the weights that stay"


def test_the_same_seed_gives_the_same_masks() -> None:
    def masks(seed: int | None) -> np.ndarray:
        layer = identity(0.5, seed, width=20)
        return np.stack([layer(np.eye(20, dtype=np.float32), training=True).numpy() for _ in range(3)])

    assert np.array_equal(masks(1), masks(1))
    assert not np.array_equal(masks(1), masks(2))
    tf_keras().utils.set_random_seed(4)
    first = masks(None)
    tf_keras().utils.set_random_seed(4)
    assert np.array_equal(first, masks(None)), "without a seed, Keras' own"


def test_fitting_repeats_and_trains_every_kernel() -> None:
    results = []
    for _ in range(2):
        model = network()
        before = model.get_weights()
        with quiet():
            model.compile("adam", "sparse_categorical_crossentropy")
            model.fit(X, np.arange(32) % 5, epochs=1, verbose=0)
        results.append(model.get_weights())
        assert all(np.any(a != b) for a, b in zip(before, results[-1], strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_inference_is_the_wrapped_layer() -> None:
    keras = tf_keras()
    layer = DropConnect(keras.layers.Conv2D(6, 3, padding="same", strides=2, activation="tanh"), 0.8)
    outputs = layer(X)
    assert np.array_equal(outputs, layer.layer(X))
    assert tuple(layer.compute_output_shape((None, 8, 8, 3))) == (None, 4, 4, 6)
    assert not np.array_equal(outputs, layer(X, training=True))


@pytest.mark.parametrize("name", ["net.h5", "net.keras", "net"])
def test_a_saved_model_loads_without_the_wrappers(tmp_path: Path, name: str) -> None:
    model = network()
    with quiet():
        model.save(tmp_path / name)
    loaded = load(tmp_path / name)
    layers = dict(iter_layers(loaded.model))
    assert {"stem", "digit"} < layers.keys()
    kinds = [type(layer).__name__ for layer in layers.values()]
    assert [kind for kind in kinds if kind in KINDS] == KINDS
    assert np.array_equal(predict(loaded.model, X), predict(model, X))


@pytest.mark.slow
def test_a_process_that_never_saw_the_layer_loads_the_file(tmp_path: Path) -> None:
    model = network()
    with quiet():
        model.save(tmp_path / "net.h5")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", predict(model, X))
    code = (
        "from pathlib import Path\nimport numpy as np\nfrom edgesparse.keras_model import load, predict\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "got = predict(load(folder / 'net.h5').model, np.load(folder / 'x.npy'))\n"
        "assert np.array_equal(got, np.load(folder / 'y.npy'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_sequential_model_may_begin_with_it() -> None:
    keras = tf_keras()
    model = keras.Sequential([DropConnect(keras.layers.Dense(4), input_shape=(6,)), keras.layers.Dense(2)])
    x = np.ones((3, 6), np.float32)
    assert np.array_equal(predict(from_object(model).model, x), predict(model, x))


def test_pruning_takes_it_out_and_leaves_the_given_model_alone() -> None:
    model = network()
    before = model.get_weights()
    result = sparsify.prune(model, X, sparsity=0.5, pattern="unstructured", method="finetune", epochs=1)
    assert not any(type(layer).__name__ == "DropConnect" for _, layer in iter_layers(result.model))
    assert result.plan.sparsity >= 0.5
    assert "digit" in result.masks
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_layers_that_only_act_in_training_vanish() -> None:
    from edgesparse import quantize
    from edgesparse.network import Network

    keras = tf_keras()
    layers = keras.layers
    plain = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    between = [
        layers.Dropout(0.5),
        layers.SpatialDropout2D(0.5),
        layers.GaussianNoise(0.1),
        layers.GaussianDropout(0.1),
        layers.AlphaDropout(0.1),
        layers.ActivityRegularization(l1=0.1),
    ]
    loaded = from_object(keras.Sequential([keras.Input((8, 8, 3)), plain[0], *between, *plain[1:]]))
    network = Network.read(quantize.quantize(loaded.model, X, dense_per_channel=False))
    assert [op.kind for op in network.graph.ops] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), "0.5", True])
def test_a_rate_out_of_range_is_refused(rate: Any) -> None:
    with pytest.raises(SettingsError, match=r"^DropConnect: rate: expected a number from 0 to below 1, got .*$"):
        DropConnect(tf_keras().layers.Dense(2), rate)


def test_what_has_no_kernel_is_refused() -> None:
    keras = tf_keras()
    for layer, kind in ((keras.layers.ReLU(name="act"), "ReLU"), (keras.layers.LSTM(3, name="act"), "LSTM")):
        with pytest.raises(UnsupportedError, match=rf"^DropConnect: layer 'act' \({kind}\) has no kernel .*$"):
            DropConnect(layer)
    with pytest.raises(UnsupportedError, match=r"layer 3 \(int\)"):
        DropConnect(3)


def test_a_layer_of_the_other_keras_is_told_where_to_go() -> None:
    class Dense:
        name = "fc"

    with pytest.raises(EdgesparseError, match=r"'fc' \(Dense\) is of another Keras .* edgesparse\.layers\.keras3$"):
        DropConnect(Dense())


def test_a_lambda_inside_is_refused_before_it_runs(tmp_path: Path) -> None:
    keras = tf_keras()
    layer = DropConnect(keras.layers.Dense(2))
    layer.layer = keras.layers.Lambda(lambda x: x, name="evil")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), layer])
    with quiet():
        model.save(tmp_path / "lambda.h5")
    with pytest.raises(ModelError, match=r"'evil' .* executes code"):
        load(tmp_path / "lambda.h5")
