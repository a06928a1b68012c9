"""The process that an interpreter runs in: `python -m edgesparse.oracle.worker [MODULE]`, which is imported at once.

A request is a line, and so is its answer. A request is the JSON list [RUNTIME, MODEL, INPUTS, OUTPUTS], the last three
paths; requests end where standard input does.
RUNTIME is `tflite-micro`, `tflite-runtime` or `litert` (reference kernels), `tflite-runtime-default` or
`litert-default` (default kernels, XNNPACK included), `tflite-micro-decoded`, whose outputs are the weights that the
TFLM_DECODE ops have expanded, one after the other, or `tflite-runtime-zeros`, whose outputs are the shares of int8
values at the zero point, by tensor (NaN for others).
INPUTS is a .npy [n, ...] of the model's input dtype; OUTPUTS gets a .npy [n, ...]. The answer is [code, reason]: 0 and
nothing, REFUSED with the reason why the runtime does not take the model, RUNTIME_MISSING where it is not installed, or
NO_ROOM where memory or disk is full.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.tflite import read_graph

__all__ = ["MODULES", "NO_ROOM", "REFUSED", "RUNTIME_MISSING", "main"]

REFUSED = 3
RUNTIME_MISSING = 4
NO_ROOM = 6

_TFLITE_MICRO = "tflite_micro.python.tflite_micro.runtime"
_TFLITE_RUNTIME, _LITERT = "tflite_runtime.interpreter", "ai_edge_litert.interpreter"

MODULES = {"tflite-micro": _TFLITE_MICRO, "tflite-runtime": _TFLITE_RUNTIME, "litert": _LITERT}
"""The interpreters, with the module of each."""

_ARENA_BYTES = (1 << 20, 1 << 24, 1 << 28)

Run = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def _tflite_micro(model: bytes) -> Run:
    interpreter = _micro_interpreter(model, "kAllocationRecording")

    def run(sample: npt.NDArray[Any]) -> npt.NDArray[Any]:
        interpreter.set_input(sample[np.newaxis], 0)
        interpreter.invoke()
        outputs: npt.NDArray[Any] = np.array(interpreter.get_output(0))[0]
        return outputs

    return run


def _decoded_weights(model: bytes) -> Run:
    decoded = [output for op in read_graph(model).ops if op.kind == "CUSTOM:TFLM_DECODE" for output in op.outputs]
    interpreter = _micro_interpreter(model, "kPreserveAllTensors")

    def run(sample: npt.NDArray[Any]) -> npt.NDArray[Any]:
        interpreter.set_input(sample[np.newaxis], 0)
        interpreter.invoke()
        return np.concatenate([np.ravel(interpreter.GetTensor(tensor, 0)["tensor_data"]) for tensor in decoded])

    return run


def _micro_interpreter(model: bytes, config: str) -> Any:
    """In the first arena that is large enough; TFLite Micro does not say how much it needs."""
    runtime = importlib.import_module(_TFLITE_MICRO)

    def make(arena_bytes: int) -> Any:
        kind = runtime.InterpreterConfig[config]
        return runtime.Interpreter.from_bytes(model, arena_size=arena_bytes, intrepreter_config=kind)

    *smaller, largest = _ARENA_BYTES
    for arena_bytes in smaller:
        with suppress(RuntimeError):
            return make(arena_bytes)
    return make(largest)


def _tflite(module: str, model: bytes, *, reference: bool) -> Run:
    tflite = importlib.import_module(module)
    resolver = tflite.OpResolverType.BUILTIN_REF if reference else tflite.OpResolverType.AUTO
    interpreter = tflite.Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(sample: npt.NDArray[Any]) -> npt.NDArray[Any]:
        interpreter.set_tensor(into, sample[np.newaxis])
        interpreter.invoke()
        outputs: npt.NDArray[Any] = np.array(interpreter.get_tensor(out))[0]
        return outputs

    return run


def _zero_shares(model: bytes) -> Run:
    tflite = importlib.import_module(_TFLITE_RUNTIME)
    interpreter = tflite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    into = interpreter.get_input_details()[0]["index"]
    tensors = [d for d in interpreter.get_tensor_details() if d["dtype"] == np.int8 and d["shape"].size]
    size = 1 + max(d["index"] for d in tensors) if tensors else 0

    def run(sample: npt.NDArray[Any]) -> npt.NDArray[Any]:
        interpreter.set_tensor(into, sample[np.newaxis])
        interpreter.invoke()
        shares = np.full(size, np.nan)
        for tensor in tensors:
            values = interpreter.get_tensor(tensor["index"])
            shares[tensor["index"]] = np.mean(values == tensor["quantization"][1])
        return shares

    return run


_RUNTIMES: dict[str, Callable[[bytes], Run]] = {
    "tflite-micro": _tflite_micro,
    "tflite-micro-decoded": _decoded_weights,
    "tflite-runtime": lambda model: _tflite(_TFLITE_RUNTIME, model, reference=True),
    "tflite-runtime-default": lambda model: _tflite(_TFLITE_RUNTIME, model, reference=False),
    "litert": lambda model: _tflite(_LITERT, model, reference=True),
    "litert-default": lambda model: _tflite(_LITERT, model, reference=False),
    "tflite-runtime-zeros": _zero_shares,
}


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what interpreters print is no answer
    with suppress(ImportError):  # the first request says so
        importlib.import_module(sys.argv[1])
    for request in sys.stdin:
        answers.write(json.dumps(_run(*json.loads(request))) + "\n")


def _run(runtime: str, model_path: str, inputs_path: str, outputs_path: str) -> tuple[int, str]:
    """Run one model on all inputs; the answer."""
    inputs = np.load(inputs_path)
    try:
        run = _RUNTIMES[runtime](Path(model_path).read_bytes())
        outputs = np.stack([run(sample) for sample in inputs])
    except ImportError as error:
        return RUNTIME_MISSING, str(error)
    except (RuntimeError, ValueError) as error:
        return REFUSED, " ".join(str(error).split())
    except MemoryError as error:
        return NO_ROOM, str(error) or "no memory left"
    try:
        np.save(outputs_path, outputs)
    except OSError as error:
        return NO_ROOM, f"{outputs_path}: {error.strerror or error}"
    return 0, ""


if __name__ == "__main__":
    main()
