"""Train the digits network of the demo: `python train.py SAMPLES.npz [OUT.h5]` (default: digits.h5 beside this file).

SAMPLES.npz is what data.py writes. Under two minutes on two cores. Same versions, same weights.
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
EPOCHS = 40


def build_model() -> Any:
    """A CNN of a convolution, two depthwise-separable blocks and a strided convolution: 13,000 weights."""
    layers = keras.layers

    def normalized(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def separable(x: Any, filters: int, name: str) -> Any:
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
        x = normalized(x, f"{name}_depthwise")
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
        return normalized(x, f"{name}_pointwise")

    inputs = keras.Input((8, 8, 1), name="image")
    x = normalized(layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(inputs), "stem")
    x = separable(x, 32, "block1")
    x = normalized(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="down")(x), "down")
    x = separable(x, 64, "block2")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    outputs = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(inputs, outputs, name="digits")


def main() -> None:
    """Train and save."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python train.py SAMPLES.npz [OUT.h5]")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "digits.h5"
    data = np.load(sys.argv[1])
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build_model()
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(data["x"]) // 32))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data["x"], data["y"], batch_size=32, epochs=EPOCHS, verbose=2)
    _, accuracy = model.evaluate(data["x_test"], data["y_test"], verbose=0)
    model.save(out, include_optimizer=False)
    print(f"{out}: {out.stat().st_size} bytes, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
