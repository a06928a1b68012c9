"""TensorFlow's own output does not reach the user, and a Keras 3 object can be handed over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits.h5"

LOAD_AND_QUANTIZE = """
import sys
from pathlib import Path
from edgesparse.keras_model import load
from edgesparse.quantize import quantize, synthetic_inputs
model = load(Path(sys.argv[1])).model
quantize(model, synthetic_inputs((8, 8, 1), 4, 0), dense_per_channel=False)
"""

KERAS3_OBJECT = """
import keras
import numpy as np
layers = [keras.Input((6, 6, 4)), keras.layers.Conv2D(8, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
model = keras.Sequential(layers, name="threes")
x = np.linspace(-1, 1, 288, dtype=np.float32).reshape(2, 6, 6, 4)
expected = np.asarray(model(x))
from edgesparse.keras_model import from_object, predict
loaded = from_object(model)
assert loaded.format == "object" and loaded.name == "threes" and loaded.keras_version.startswith("3."), loaded
assert np.allclose(predict(loaded.model, x), expected, atol=1e-5)
"""

TENSORFLOW_FREE = """
import sys
import edgesparse.keras_model, edgesparse.quantize, edgesparse.sparsify
assert not {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization"} & set(sys.modules)
"""


NORMALIZED_TANH = """
import numpy as np
from edgesparse.keras_model import predict
from edgesparse.keras_model.backend import tf_keras
layers = tf_keras().layers
stack = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.Activation("tanh")]
model = tf_keras().Sequential([tf_keras().Input((8, 8, 1)), *stack])
assert predict(model, np.zeros((2, 8, 8, 1), np.float32)).shape == (2, 6, 6, 4)
"""


def run(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")} | variables
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_nothing_of_tensorflows_is_printed() -> None:
    done = run(LOAD_AND_QUANTIZE, str(DIGITS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_does_not_import_tensorflow() -> None:
    done = run(TENSORFLOW_FREE)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_keras3_object_can_be_handed_over() -> None:
    done = run(KERAS3_OBJECT)
    assert done.returncode == 0, done.stderr


def test_float_inference_takes_no_fusion_that_tensorflow_has_no_kernel_for() -> None:
    # With oneDNN on, as in a process that imported TensorFlow by itself, the graph optimizer fuses these three layers.
    done = run(NORMALIZED_TANH, TF_ENABLE_ONEDNN_OPTS="1")
    assert done.returncode == 0, done.stderr
