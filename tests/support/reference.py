"""The reference interpreters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime

_EVERY_TENSOR = """
import sys
import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

model, inputs, outputs = sys.argv[1:]
interpreter = Interpreter(
    model,
    experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    experimental_preserve_all_tensors=True,
)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(inputs))
interpreter.invoke()
indices = [detail["index"] for detail in interpreter.get_tensor_details()]
np.savez(outputs, **{str(index): interpreter.get_tensor(index) for index in indices})
"""


def tflm_output(model: bytes, inputs: list[NDArray[np.generic]], arena_bytes: int = 1 << 20) -> NDArray[np.generic]:
    """The first output for one set of inputs, by TFLite Micro's reference kernels in this process."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    for index, data in enumerate(inputs):
        interpreter.set_input(data, index)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0))


def tflite_tensors(folder: Path, model: Path, inputs: NDArray[np.int8]) -> dict[int, NDArray[np.generic]]:
    """Every tensor by index, by tflite-runtime's reference kernels.

    In a process of its own: tflite-runtime does not load where TensorFlow was imported before.
    """
    np.save(folder / "inputs.npy", inputs)
    outputs = folder / "tensors.npz"
    command = [sys.executable, "-c", _EVERY_TENSOR, str(model), str(folder / "inputs.npy"), str(outputs)]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(outputs) as tensors:
        return {int(index): tensors[index] for index in tensors.files}
