"""Runs .tflite files in one interpreter, in a process of its own: two TFLite runtimes do not live in one process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MODULES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "litert": "ai_edge_litert.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
RESOLVERS = ("BUILTIN_REF", "AUTO")


def run(runtime: str, models: Sequence[bytes], inputs: np.ndarray) -> np.ndarray:
    """Outputs [resolver, model, n, ...] for inputs [n, 1, ...]."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.tflite" for index in range(len(models))]
        for path, model in zip(paths, models, strict=True):
            path.write_bytes(model)
        arrays = [Path(folder) / "inputs.npy", Path(folder) / "outputs.npy"]
        np.save(arrays[0], inputs)
        command = [sys.executable, "-m", "tests.support.interpreters", MODULES[runtime], *map(str, (*arrays, *paths))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        outputs: np.ndarray = np.load(arrays[1])
        return outputs


def outputs_of(tflite: Any, resolver: str, model: str, inputs: np.ndarray) -> np.ndarray:
    interpreter = tflite.Interpreter(
        model_path=model, num_threads=1, experimental_op_resolver_type=getattr(tflite.OpResolverType, resolver)
    )
    interpreter.allocate_tensors()
    results = []
    for sample in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
        interpreter.invoke()
        results.append(np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])))
    return np.stack(results)


def main(module: str, inputs: str, outputs: str, *models: str) -> None:
    from importlib import import_module

    tflite = import_module(module)
    samples = np.load(inputs)
    results = [[outputs_of(tflite, resolver, model, samples) for model in models] for resolver in RESOLVERS]
    np.save(outputs, np.array(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
