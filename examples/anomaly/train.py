"""Train the autoencoder: `python train.py SAMPLES.npz [OUT.h5]` (default: anomaly.h5 beside this file).

SAMPLES.npz is what data.py writes; only its x is used. Under a minute on two cores. Same versions, same weights.
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
EPOCHS = 80
BATCH = 32


def build_model() -> Any:
    """Dense layers down to 8 values and up again, as MLPerf Tiny's autoencoder for sounds: 50,000 weights."""
    layers = keras.layers
    inputs = keras.Input((128,), name="window")
    x = inputs
    for index, units in enumerate([128, 64, 8, 64, 128]):
        x = layers.Dense(units, use_bias=False, name=f"dense{index + 1}")(x)
        x = layers.BatchNormalization(name=f"dense{index + 1}_bn")(x)
        x = layers.ReLU(name=f"dense{index + 1}_relu")(x)
    outputs = layers.Dense(128, name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="anomaly")


def main() -> None:
    """Train and save."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python train.py SAMPLES.npz [OUT.h5]")
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "anomaly.h5"
    x = np.load(sys.argv[1])["x"]
    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build_model()
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * -(-len(x) // BATCH))
    model.compile(keras.optimizers.Adam(schedule), "mse")
    model.fit(x, x, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    model.save(out, include_optimizer=False)
    print(f"{out}: {out.stat().st_size} bytes, error {model.evaluate(x, x, verbose=0):.4f}")


if __name__ == "__main__":
    main()
