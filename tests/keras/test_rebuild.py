"""Models rebuilt from a file's configuration and arrays compute what they did when they were saved."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from edgesparse.errors import ModelError
from edgesparse.keras_model import iter_layers, load, predict
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras, tfmot
from edgesparse.keras_model.known_classes import CLASSES, CONTAINERS, DROP_CONNECT, PRUNING_WRAPPER
from tests.keras.hostile_files import save

FORMATS = ["net.h5", "net.keras", "net"]


def plain() -> Any:
    keras = tf_keras()
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2))(x)
    x = layers.BatchNormalization(trainable=False)(layers.PReLU()(x))
    x = layers.SeparableConv2D(5, 2, activation=layers.LeakyReLU(0.2))(layers.DepthwiseConv2D(2)(x))
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Flatten()(layers.Dropout(0.3)(x))))


def sequential() -> Any:
    keras = tf_keras()
    layers = keras.layers
    return keras.Sequential(
        [layers.Dense(5, "relu", input_shape=(6,)), layers.LayerNormalization(), layers.Dense(5), layers.Dense(2)]
    )


def sequential_built_late() -> Any:
    keras = tf_keras()
    model = keras.Sequential([keras.layers.Dense(5, "relu"), keras.layers.Dense(2)])
    model.build((None, 6))
    return model


def nested() -> Any:
    keras = tf_keras()
    layers = keras.layers

    def residual(name: str) -> Any:
        inputs = keras.Input((6,))
        return keras.Model(inputs, layers.Add()([layers.Dense(6)(inputs), inputs]), name=name)

    frozen = layers.Dense(6, trainable=False, name="frozen")
    head = keras.Sequential(
        [keras.Input((6,)), frozen, layers.BatchNormalization(), residual("inner"), layers.Dense(2)]
    )
    inputs = keras.Input((6,))
    return keras.Model(inputs, head(residual("outer")(layers.Dense(6, name="first")(inputs))))


def shared() -> Any:
    keras = tf_keras()
    twice = keras.layers.Dense(6, "tanh", name="twice")
    inputs = keras.Input((6,))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()([twice(twice(inputs)), inputs])))


def recurrent() -> Any:
    keras = tf_keras()
    layers = keras.layers
    x = inputs = keras.Input((5, 4))
    x = layers.TimeDistributed(layers.Dense(4, "relu"))(x)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(4)])
    x = layers.TimeDistributed(inner)(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    cells = [layers.GRUCell(3), layers.GRUCell(2), layers.LSTMCell(2)]
    x = layers.RNN(layers.StackedRNNCells(cells), return_sequences=True)(x)
    x = layers.GRU(3, return_sequences=True)(x)
    return keras.Model(inputs, layers.Dense(2)(layers.SimpleRNN(3)(x)))


def functions() -> Any:
    keras, tf = tf_keras(), tensorflow()
    inputs = keras.Input((4, 6))
    x = tf.nn.relu(keras.layers.Dense(6)(inputs) + 1.0) * np.arange(6, dtype=np.float32)
    x = tf.reshape(x[:, 1:, ::2], (-1, 9))
    return keras.Model(inputs, keras.layers.Dense(2)(tf.concat([x, tf.math.square(x)], axis=-1)))


def attention() -> Any:
    keras = tf_keras()
    x = inputs = keras.Input((5, 4))
    x = keras.layers.MultiHeadAttention(2, 3)(x, x)
    x = keras.layers.Normalization(mean=[0.5] * 4, variance=[2.0] * 4)(x)
    return keras.Model(inputs, keras.layers.EinsumDense("abc,cd->abd", output_shape=(None, 2))(x))


NETWORKS: list[Callable[[], Any]] = [
    plain,
    sequential,
    sequential_built_late,
    nested,
    shared,
    recurrent,
    functions,
    attention,
]


def with_random_weights(model: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in model.get_weights()])
    x = generator.standard_normal((4, *model.inputs[0].shape[1:])).astype(np.float32)
    return model, x, predict(model, x)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("make", NETWORKS)
def test_a_rebuilt_model_computes_the_same(tmp_path: Path, make: Callable[[], Any], name: str) -> None:
    model, x, expected = with_random_weights(make())
    loaded = load(save(model, tmp_path / name)).model
    assert [path for path, _ in iter_layers(loaded)] == [path for path, _ in iter_layers(model)]
    np.testing.assert_array_equal(predict(loaded, x), expected)


@pytest.mark.parametrize("name", FORMATS)
def test_keras_own_loading_is_not_used(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(shared(), tmp_path / name)
    for module, function in ((tf_keras().models, "load_model"), (tensorflow().saved_model, "load")):
        monkeypatch.setattr(module, function, lambda *_, **__: pytest.fail("a file was handed over"))
    load(path)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["Functional", "Sequential"])
def test_pruning_wrappers_are_stripped_in_every_format(tmp_path: Path, name: str, kind: str) -> None:
    keras = tf_keras()
    layers = keras.layers
    steps = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(3)]
    if kind == "Sequential":
        model = keras.Sequential([keras.Input((6, 6, 2)), *steps])
    else:
        x = inputs = keras.Input((6, 6, 2))
        for step in steps:
            x = step(x)
        model = keras.Model(inputs, x)
    model, x, expected = with_random_weights(model)
    with quiet():
        pruned = tfmot().sparsity.keras.prune_low_magnitude(model)
    loaded = load(save(pruned, tmp_path / name)).model
    assert [path for path, _ in iter_layers(loaded)] == [path for path, _ in iter_layers(model)]
    np.testing.assert_array_equal(predict(loaded, x), expected)


@pytest.mark.parametrize("layout", ["backslashes", "dependencies", "dependencies counted twice"])
def test_other_layouts_of_keras_archives_are_read(tmp_path: Path, layout: str) -> None:
    """Windows' names of groups; Keras 2.13's attribute; Keras 2.12 counted a layer with weights twice."""
    model, x, expected = with_random_weights(plain_of_two_kinds())
    source, target = save(model, tmp_path / "net.keras"), tmp_path / "other.keras"

    def renamed(group: str) -> str:
        if layout == "backslashes":
            return group.replace("/", "\\")
        group = group.replace("layers/", "_layer_checkpoint_dependencies/", 1)
        if layout == "dependencies counted twice":
            stem, _, number = group.partition("_1")
            return f"{stem}_2" if number == "" and group.endswith("_1") else group
        return group

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "model.weights.h5":
                new.writestr(name, old.read(name))
        with (
            h5py.File(old.open("model.weights.h5"), "r") as arrays,
            h5py.File(tmp_path / "other.h5", "w") as other,
        ):
            for name, layer in arrays["layers"].items():
                group = other.create_group(renamed(f"layers/{name}"))
                for index, value in layer["vars"].items():
                    group.create_dataset(f"vars/{index}", data=value)
        new.write(tmp_path / "other.h5", "model.weights.h5")
    np.testing.assert_array_equal(predict(load(target).model, x), expected)


def plain_of_two_kinds() -> Any:
    keras = tf_keras()
    layers = keras.layers
    steps = [layers.Dense(5), layers.BatchNormalization(), layers.Dense(5), layers.BatchNormalization()]
    return keras.Sequential([keras.Input((4,)), *steps])


def test_many_names_of_weights_in_parts_are_read(tmp_path: Path) -> None:
    model, x, expected = with_random_weights(nested())
    path = save(model, tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        for group in file["model_weights"].values():
            names = group.attrs.get("weight_names", np.array([]))
            if len(names) > 1:
                del group.attrs["weight_names"]
                group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:1], names[1:]
    np.testing.assert_array_equal(predict(load(path).model, x), expected)


@pytest.mark.parametrize("name", FORMATS)
def test_weights_of_other_shapes_are_refused_by_layer(tmp_path: Path, name: str) -> None:
    from tests.keras.hostile_files import edit_config, edit_h5_config, small_network

    def widen(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["units"] = 7

    path = save(small_network(), tmp_path / name)
    if name == "net":
        text = (path / "keras_metadata.pb").read_bytes()
        (path / "keras_metadata.pb").write_bytes(text.replace(b'"units": 4', b'"units": 7'))
    else:
        path = edit_h5_config(path, widen) if name == "net.h5" else edit_config(path, tmp_path / "wide.keras", widen)
    with pytest.raises(ModelError, match=r"layer 'first': expected weights of shapes .*7.*, got .*4.*; save"):
        load(path)


def test_every_known_layer_is_one_of_keras() -> None:
    from tf_keras.src.layers import serialization

    known = CLASSES["layer"] - CONTAINERS - DROP_CONNECT - {PRUNING_WRAPPER}
    assert sorted(name for name in known if serialization.get_builtin_layer(name) is None) == []
    keras = tf_keras()
    for role, module in (
        ("initializer", keras.initializers),
        ("regularizer", keras.regularizers),
        ("constraint", keras.constraints),
    ):
        assert sorted(name for name in CLASSES[role] if not hasattr(module, name)) == []


REAL = [
    "ad01.h5",
    "kws_ref_model.h5",
    "kws_saved_model",
    "magic_wand.h5",
    "nested_autoencoder.h5",
    "pretrainedResnet.h5",
]


@pytest.mark.skipif("EDGESPARSE_TEST_MODELS" not in os.environ, reason="EDGESPARSE_TEST_MODELS is not set")
@pytest.mark.parametrize("name", REAL)
def test_real_models_are_what_tf_keras_loads(name: str) -> None:
    path = Path(os.environ["EDGESPARSE_TEST_MODELS"]) / name
    with quiet():
        expected = tf_keras().models.load_model(path, compile=False)
    got = load(path).model
    for ours, theirs in zip(got.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    x = np.random.default_rng(0).standard_normal((8, *got.inputs[0].shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(predict(got, x), predict(expected, x))
