"""The process that an emulator runs samples in: `python -m edgesparse.emulate.worker FOLDER`.

FOLDER holds job.json, {emulator, elf, board, layer_names, timeout_s}, and samples.npy, [n, ...] in the model's input
dtype. The process writes trace.npz: outputs [n, bytes] uint8, instructions and cycles [n] int64 (no cycles where the
emulator does not estimate them), and emulator and cycle_model, which are text. On an error of edgesparse's own it ends
with that error's exit code and the message as the last line of stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edgesparse.boards import load_board
from edgesparse.emulate import EMULATORS
from edgesparse.emulate.trace import Trace
from edgesparse.errors import EdgesparseError
from edgesparse.toolchain.elf import read_elf

__all__ = ["JOB_NAME", "SAMPLES_ARRAY_NAME", "TRACE_NAME", "main"]

JOB_NAME, SAMPLES_ARRAY_NAME, TRACE_NAME = "job.json", "samples.npy", "trace.npz"


def main(arguments: list[str]) -> int:
    """Run one job; the exit code."""
    folder = Path(arguments[0])
    job = json.loads((folder / JOB_NAME).read_text(encoding="utf-8"))
    try:
        trace = EMULATORS[job["emulator"]].run(
            read_elf(Path(job["elf"])),
            load_board(job["board"]),
            timeout_s=job["timeout_s"],
            layer_names=job["layer_names"],
            samples=np.load(folder / SAMPLES_ARRAY_NAME),
        )
    except EdgesparseError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return error.exit_code
    _write(trace, folder / TRACE_NAME)
    return 0


def _write(trace: Trace, path: Path) -> None:
    cycles = {"cycles": np.array(trace.cycles, np.int64)} if trace.cycles is not None else {}
    np.savez(
        path,
        outputs=np.stack([np.frombuffer(output, np.uint8) for output in trace.outputs]),
        instructions=np.array(trace.instructions, np.int64),
        emulator=trace.emulator,
        cycle_model=trace.cycle_model,
        **cycles,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
