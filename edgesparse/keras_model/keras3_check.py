"""Run a model in Keras 3: `python keras3_check.py CONFIG.json WEIGHTS.h5 INPUTS.npy OUTPUTS.npy`.

The config was judged and names Keras' own classes only; load_model, which trusts a file, is not called. Executed as a
script in a process of its own, which must not have TF_USE_LEGACY_KERAS set.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

__all__ = ["main"]


def main(config_path: str, weights_path: str, inputs_path: str, outputs_path: str) -> None:
    """Build the model from the config, read its weights, predict on the inputs, save the outputs."""
    import keras

    from edgesparse.keras_model.drop_connect_keras3 import DropConnect

    model = keras.models.model_from_json(
        Path(config_path).read_text(), custom_objects={"edgesparse>DropConnect": DropConnect}
    )
    model.load_weights(weights_path)
    outputs = model(np.load(inputs_path), training=False)
    np.save(outputs_path, np.asarray(keras.ops.convert_to_numpy(outputs), dtype=np.float32))


if __name__ == "__main__":
    main(*sys.argv[1:5])
