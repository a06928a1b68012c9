"""Save small Keras 3 models: `python keras3_models.py FOLDER`. A script, since Keras 3 needs a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edgesparse.layers.keras3 import DropConnect

KINDS = ("residual", "nested", "shared", "sequential", "drop_connect")


def residual():
    x = inputs = keras.Input((9, 7, 3), name="signal")
    x = layers.ZeroPadding2D(((0, 1), (1, 0)))(x)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu6")(x)
    x = layers.SpatialDropout2D(0.1)(x)
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.LeakyReLU(negative_slope=0.2)(layers.BatchNormalization(scale=False)(y))
    x = layers.Add()([x, y])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Softmax()(layers.Dense(5)(layers.Flatten()(x)))
    return keras.Model(inputs, x, name="residual")


def nested():
    stem_in = keras.Input((8, 8, 4))
    stem_out = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3)(stem_in)))
    stem = keras.Model(stem_in, stem_out, name="stem")
    head = keras.Sequential([keras.Input((6, 6, 8)), layers.GlobalAveragePooling2D(), layers.Dense(3)], name="head")
    inputs = keras.Input((8, 8, 4))
    return keras.Model(inputs, head(stem(inputs)), name="nested")


def shared():
    block = keras.Sequential([keras.Input((12,)), layers.Dense(12, activation="tanh")], name="block")
    dense = layers.Dense(12, name="twice")
    inputs = keras.Input((12,))
    x = block(dense(inputs))
    x = layers.Multiply()([block(dense(x)), x])
    return keras.Model(inputs, x, name="shared")


def sequential():
    return keras.Sequential(
        [
            keras.Input((20, 3)),
            layers.Conv1D(8, 3, strides=2, activation="silu"),
            layers.Dropout(0.3),
            keras.Sequential([layers.BatchNormalization(), layers.Activation("elu")], name="inner"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(2, activation="sigmoid"),
        ],
        name="sequential",
    )


def drop_connect():
    inner = keras.Sequential(
        [keras.Input((6, 6, 8)), DropConnect(layers.DepthwiseConv2D(3)), layers.Conv2D(4, 1), layers.AlphaDropout(0.1)]
    )
    x = inputs = keras.Input((8, 8, 3))
    x = inner(DropConnect(layers.Conv2D(8, 3, name="stem"), rate=0.2, seed=1)(x))
    x = layers.ActivityRegularization(l1=0.1)(layers.Flatten()(x))
    dense = DropConnect(layers.Dense(4, kernel_initializer="ones"), rate=0.25, seed=2, name="head")
    model = keras.Model(inputs, dense(x), name="drop_connect")
    kernel = dense.layer.kernel
    ones = np.eye(kernel.shape[0], dtype=np.float32)
    first, second = (np.asarray(dense(ones, training=True)).round(3) for _ in range(2))
    assert set(np.unique(first)) == {0.0, np.float32(1.333)}
    assert 0.1 < np.mean(first == 0) < 0.4
    assert not np.array_equal(first, second)
    assert np.array_equal(dense(ones), dense.layer(ones))
    model.compile("adam", "mse")
    before = [np.asarray(weight) for weight in model.trainable_weights]
    model.fit(np.ones((4, 8, 8, 3)), np.zeros((4, 4)), verbose=0)
    assert all(np.any(old != np.asarray(new)) for old, new in zip(before, model.trainable_weights, strict=True))
    return model


@keras.saving.register_keras_serializable(package="mine")
class Doubled(layers.Layer):
    def call(self, x):
        return x * 2


def refused():
    inputs = keras.Input((8,))
    x = layers.Dense(8, name="first")(inputs)
    yield "lambda", layers.Lambda(lambda value: value * 2, name="doubler")(x)
    yield "custom", Doubled(name="doubled")(x)
    yield "hard", layers.Dense(4, activation="hard_sigmoid", name="hard")(x)
    yield "ops", keras.ops.abs(x)
    yield "normalized", layers.LayerNormalization(name="norm")(x)


def main(folder: Path) -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    for kind in KINDS:
        model = globals()[kind]()
        for weight in model.weights:
            weight.assign(
                rng.uniform(0.5, 1.5, weight.shape) if "variance" in weight.name else rng.normal(0, 0.4, weight.shape)
            )
        model.save(folder / f"{kind}.keras")
        model.save(folder / f"{kind}.h5")
    for name, output in refused():
        inputs = output._keras_history.operation
        while inputs._inbound_nodes and inputs._inbound_nodes[0].input_tensors:
            inputs = inputs._inbound_nodes[0].input_tensors[0]._keras_history.operation
        keras.Model(inputs.output, output).save(folder / f"{name}.keras")
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).export(folder / "exported", verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
