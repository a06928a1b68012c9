"""Bytes of the arena that TFLite Micro plans for a model's tensors: `python -m tests.support.tflm_allocations FILE`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def planned_bytes(model: Path) -> int:
    command = [sys.executable, "-m", "tests.support.tflm_allocations", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found = re.search(r"Arena allocation head (\d+) bytes", done.stderr + done.stdout)
    assert found, done.stderr
    return int(found[1])


def main(path: str) -> None:
    import numpy as np
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(path, arena_size=1 << 24)
    details = interpreter.get_input_details(0)
    interpreter.set_input(np.zeros(tuple(details["shape"]), details["dtype"]), 0)
    interpreter.invoke()
    interpreter.print_allocations()


if __name__ == "__main__":
    main(sys.argv[1])
