"""How long the tool itself takes, in seconds of this machine: noisy, so quote ratios only.

Run it with `python -m benchmarks.speed`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EDGESPARSE = [sys.executable, "-c", "from edgesparse.cli import start; start()"]


def main() -> int:
    """Time each command and print a line for it."""
    root = Path(__file__).parent.parent
    print(f"{'edgesparse --help':48} {best(['--help'], runs=5):7.2f} s (best of 5)")
    with tempfile.TemporaryDirectory() as work:
        digits = root / "examples" / "digits" / "digits.h5"
        out = ["-o", str(Path(work) / "out")]
        print(f"{'convert digits.h5, one-shot':48} {best(['convert', str(digits), *out]):7.2f} s")
        print(f"{'emulate digits':48} {best(['emulate', str(Path(work) / 'out')]):7.2f} s")
        folder = os.environ.get("EDGESPARSE_TEST_MODELS")
        if folder:
            model = str(Path(folder) / "kws_ref_model.h5")
            print(f"{'convert kws_ref_model.h5, one-shot':48} {best(['convert', model, *out]):7.2f} s")
    return 0


def best(arguments: list[str], *, runs: int = 1) -> float:
    """The shortest of some runs of the command, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([*EDGESPARSE, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
