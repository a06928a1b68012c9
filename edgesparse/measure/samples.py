"""Run many samples on an emulated device: one firmware, in several processes, each with a share of the samples."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.boards import Board
from edgesparse.emulate.worker import JOB_NAME, SAMPLES_ARRAY_NAME, TRACE_NAME
from edgesparse.errors import CrashError, EdgesparseError, ResourceError
from edgesparse.oracle import worker_environment
from edgesparse.record import Json
from edgesparse.system.processes import Done, Scope, run
from edgesparse.system.scratch import working_folder
from edgesparse.toolchain import Elf

__all__ = ["DatasetRun", "run_samples"]

_LARGEST_SHARE = 250
"""Samples of a process: few enough that progress is seen, enough that its start does not count."""
_LARGEST_SHARE_INSTRUCTIONS = 4_000_000_000
"""A minute or so: a busy computer does not make it a timeout."""
_WORKER_TIMEOUT_S = 86_400
"""The emulator in it has a limit of its own."""


@dataclass(frozen=True, eq=False)
class DatasetRun:
    """Per sample: output bytes [n, bytes] uint8; instructions and estimated cycles [n] int64.

    `cycles` is None for the reason in `cycle_model` where the emulator counts instructions only.
    """

    emulator: str
    outputs: npt.NDArray[np.uint8]
    instructions: npt.NDArray[np.int64]
    cycles: npt.NDArray[np.int64] | None
    cycle_model: str


def run_samples(
    elf: Elf,
    board: Board,
    emulator: str,
    samples: npt.NDArray[Any],
    *,
    timeout_s: float,
    layer_names: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    processes: int | None = None,
    instructions: int = 1,
) -> DatasetRun:
    """Stream samples [n, ...], n >= 1, into a built firmware; as many processes as there are processors.

    samples: in the model's input dtype. timeout_s: of each process. instructions: of one inference, about;
    where they are many, a process takes fewer samples. Errors as Emulator.run's, with the samples named.
    """
    workers = processes if processes is not None else _processors()
    share = min(_LARGEST_SHARE, -(-len(samples) // workers), max(1, _LARGEST_SHARE_INSTRUCTIONS // instructions))
    starts = range(0, len(samples), share)
    job = {
        "emulator": emulator,
        "elf": str(elf.path.absolute()),
        "board": board.name,
        "layer_names": list(layer_names),
        "timeout_s": timeout_s,
    }
    scope = Scope()
    with ThreadPoolExecutor(workers, thread_name_prefix="samples") as pool:
        try:
            futures = [pool.submit(scope.run, _run, job, start, samples[start : start + share]) for start in starts]
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress is not None:
                    progress(f"ran {min(done * share, len(samples)):,} of {len(samples):,} samples")
        except BaseException:  # an interrupt or a failure: the others need not go on
            scope.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    parts = [future.result() for future in futures]
    cycles = [part["cycles"] for part in parts if "cycles" in part]
    return DatasetRun(
        emulator=str(parts[0]["emulator"]),
        outputs=np.concatenate([part["outputs"] for part in parts]),
        instructions=np.concatenate([part["instructions"] for part in parts]),
        cycles=np.concatenate(cycles) if cycles else None,
        cycle_model=str(parts[0]["cycle_model"]),
    )


def _run(job: Json, start: int, samples: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one process. `start`: the number of its first sample."""
    with working_folder() as folder:
        (folder / JOB_NAME).write_text(json.dumps(job), encoding="utf-8")
        np.save(folder / SAMPLES_ARRAY_NAME, samples)
        command = [sys.executable, "-m", "edgesparse.emulate.worker", str(folder)]
        done = run(command, timeout_s=_WORKER_TIMEOUT_S, env=worker_environment())
        if done.code != 0 or done.stopped:
            lines = [line for line in done.errors.splitlines() if line.strip()]
            reason = lines[-1] if lines else f"the process ended with code {done.code}"
            raise _error(done)(f"samples {start} to {start + len(samples) - 1}: {done.stopped or reason}")
        with np.load(folder / TRACE_NAME) as arrays:
            return {key: arrays[key] for key in arrays.files}


def _error(done: Done) -> type[EdgesparseError]:
    if done.stopped or done.code == CrashError.exit_code:
        return CrashError
    if done.code == ResourceError.exit_code or done.code < 0:
        return ResourceError  # killed, as the system does where memory runs out
    return EdgesparseError


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
