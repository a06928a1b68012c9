"""One measured process: `python -m edgesparse.mobile.measure_worker MODULE MODEL THREADS RUNS OUTPUT`.

MODULE is the runtime's interpreter module. Loads the file with default settings, runs it RUNS times on one seeded input
after warming up, and prints JSON: load_ms, first_ms (the first inference, in which DENSIFY runs where XNNPACK has not
done so at load), latencies_ms, memory_bytes (the most that loading and running added to the process). OUTPUT gets the
output as .npy. Exit 3: the runtime refuses the file, with the reason as the last line of stderr.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.oracle.worker import REFUSED

__all__ = ["main"]

_WARM_UP_RUNS = 5
_RESET_PEAK = "5"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main(arguments: list[str]) -> int:
    """Measure; the exit code."""
    module, model, threads, runs, output = arguments
    tflite = importlib.import_module(module)
    before = _reset_peak()
    try:
        start = time.perf_counter()
        interpreter = tflite.Interpreter(model_path=model, num_threads=int(threads))
        interpreter.allocate_tensors()
        load_ms = _since(start)
        into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(into["index"], _input(into["shape"], into["dtype"]))
        start = time.perf_counter()
        interpreter.invoke()
        first_ms = _since(start)
        for _ in range(_WARM_UP_RUNS):
            interpreter.invoke()
        latencies_ms = []
        for _ in range(int(runs)):
            start = time.perf_counter()
            interpreter.invoke()
            latencies_ms.append(_since(start))
    except (RuntimeError, ValueError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return REFUSED
    memory_bytes = _status_bytes("VmHWM") - before
    np.save(output, interpreter.get_tensor(out["index"]))
    print(
        json.dumps(
            {"load_ms": load_ms, "first_ms": first_ms, "latencies_ms": latencies_ms, "memory_bytes": memory_bytes}
        )
    )
    return 0


def _input(shape: tuple[int, ...], dtype: type) -> npt.NDArray[Any]:
    generator = np.random.default_rng(0)
    if dtype == np.int8:
        return generator.integers(-128, 128, shape, dtype=np.int8)
    return generator.standard_normal(shape).astype(dtype)


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def _reset_peak() -> int:
    """Let the peak of resident memory begin now, where the kernel allows it; resident bytes now."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    return _status_bytes("VmRSS")


def _status_bytes(field: str) -> int:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
