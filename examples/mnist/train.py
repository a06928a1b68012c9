"""Train the MNIST network: `python train.py SAMPLES.npz [OUT.h5]` (default: mnist.h5 beside this file).

SAMPLES.npz is what data.py writes. About three minutes on two cores. Same versions, same weights.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
import tf_keras as keras

SEED = 0
EPOCHS = 30
BATCH = 64
LARGEST_SHIFT = 0.08
"""Of the images, as a share of their width: 2 pixels."""


def build_model() -> Any:
    """A CNN in the manner of LeNet, with two depthwise-separable blocks and two dense layers: 55,000 weights."""
    layers = keras.layers

    def normalized(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def separable(x: Any, filters: int, name: str) -> Any:
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
        x = normalized(x, f"{name}_depthwise")
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
        return normalized(x, f"{name}_pointwise")

    inputs = keras.Input((28, 28, 1), name="image")
    x = normalized(layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False, name="stem")(inputs), "stem")
    x = separable(x, 32, "block1")
    x = normalized(layers.Conv2D(48, 3, strides=2, padding="same", use_bias=False, name="down")(x), "down")
    x = separable(x, 64, "block2")
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="mnist")


def main() -> None:
    """Train and save."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python train.py SAMPLES.npz [OUT.h5]")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "mnist.h5"
    data = np.load(sys.argv[1])
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build_model()
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * -(-len(data["x"]) // BATCH))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    shift = keras.layers.RandomTranslation(LARGEST_SHIFT, LARGEST_SHIFT, fill_mode="constant", seed=SEED)
    samples = tf.data.Dataset.from_tensor_slices((data["x"], data["y"])).shuffle(len(data["x"]), seed=SEED).batch(BATCH)
    model.fit(samples.map(lambda x, y: (shift(x, training=True), y)), epochs=EPOCHS, verbose=2)
    _, accuracy = model.evaluate(data["x_test"], data["y_test"], verbose=0)
    model.save(out, include_optimizer=False)
    print(f"{out}: {out.stat().st_size} bytes, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
