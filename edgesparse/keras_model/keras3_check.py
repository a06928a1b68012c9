"""Run a model file in Keras 3: `python keras3_check.py MODEL INPUTS.npy OUTPUTS.npy`.

Executed as a script in a process of its own, which must not have TF_USE_LEGACY_KERAS set.
"""

from __future__ import annotations

import sys

import numpy as np

__all__ = ["main"]


def main(model_path: str, inputs_path: str, outputs_path: str) -> None:
    """Load with Keras 3 (no code from the file runs), predict on the inputs, save the outputs."""
    import keras

    from edgesparse.keras_model.drop_connect import CLASS_NAMES
    from edgesparse.keras_model.drop_connect_keras3 import DropConnect

    model = keras.saving.load_model(model_path, custom_objects=dict.fromkeys(CLASS_NAMES, DropConnect), compile=False)
    outputs = model(np.load(inputs_path), training=False)
    np.save(outputs_path, np.asarray(keras.ops.convert_to_numpy(outputs), dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:4])
