"""Train the exercise network: `python train.py SAMPLES.npz [OUT.h5]` (default: imu.h5 beside this file).

SAMPLES.npz is what data.py writes. About one minute on two cores. Same versions, same weights.
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


def build_model() -> Any:
    """A CNN of four convolutions along time: 51,000 weights."""
    layers = keras.layers
    inputs = keras.Input((128, 6), name="window")
    x = inputs
    for index, (filters, size) in enumerate([(32, 5), (48, 5), (96, 3), (96, 3)]):
        strides = 1 if index == 3 else 2
        name = f"conv{index + 1}"
        x = layers.Conv1D(filters, size, strides=strides, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    outputs = layers.Dense(7, activation="softmax", name="exercise")(x)
    return keras.Model(inputs, outputs, name="imu")


def main() -> None:
    """Train and save."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python train.py SAMPLES.npz [OUT.h5]")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "imu.h5"
    data = np.load(sys.argv[1])
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build_model()
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * -(-len(data["x"]) // BATCH))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data["x"], data["y"], batch_size=BATCH, epochs=EPOCHS, verbose=2)
    _, accuracy = model.evaluate(data["x_test"], data["y_test"], verbose=0)
    model.save(out, include_optimizer=False)
    print(f"{out}: {out.stat().st_size} bytes, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
