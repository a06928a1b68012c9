"""Run a model file in Keras 3: `python keras3_check.py MODEL INPUTS.npy OUTPUTS.npy`.

Executed as a script in a process of its own, which must not have TF_USE_LEGACY_KERAS set; imports nothing of
edgesparse.
"""

from __future__ import annotations

import sys

import numpy as np

__all__ = ["main"]


def main(model_path: str, inputs_path: str, outputs_path: str) -> None:
    """Load with Keras 3 (no code from the file runs), predict on the inputs, save the outputs."""
    import keras

    model = keras.saving.load_model(model_path, compile=False)
    outputs = model(np.load(inputs_path), training=False)
    np.save(outputs_path, np.asarray(keras.ops.convert_to_numpy(outputs), dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:4])
