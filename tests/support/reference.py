"""TFLite Micro's reference kernels, in this process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime


def tflm_output(model: bytes, inputs: list[NDArray[np.generic]], arena_bytes: int = 1 << 20) -> NDArray[np.generic]:
    """The first output for one set of inputs."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    for index, data in enumerate(inputs):
        interpreter.set_input(data, index)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0))
