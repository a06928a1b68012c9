"""Run many samples on an emulated device: one firmware, in several processes, each with a share of the samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.boards import Board
from edgesparse.emulate.child import ends_with_parent
from edgesparse.emulate.worker import JOB_NAME, SAMPLES_ARRAY_NAME, TRACE_NAME
from edgesparse.errors import CrashError, EdgesparseError
from edgesparse.oracle import worker_environment
from edgesparse.record import Json
from edgesparse.toolchain import Elf

__all__ = ["DatasetRun", "run_samples"]

_LARGEST_SHARE = 250
"""Samples of a process: few enough that progress is seen, enough that its start does not count."""
_LARGEST_SHARE_INSTRUCTIONS = 4_000_000_000
"""A minute or so: a busy computer does not make it a timeout."""


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
    crew = _Crew(job)
    with ThreadPoolExecutor(workers, thread_name_prefix="samples") as pool:
        try:
            futures = [pool.submit(crew.run, start, samples[start : start + share]) for start in starts]
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress is not None:
                    progress(f"ran {min(done * share, len(samples)):,} of {len(samples):,} samples")
        except BaseException:  # an interrupt or a failure: the others need not go on
            crew.stop()
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


class _Crew:
    """The processes that run, so that they can be ended from another thread."""

    def __init__(self, job: Json) -> None:
        self._job = job
        self._stopped = False
        self._processes: list[subprocess.Popen[str]] = []

    def run(self, start: int, samples: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """The arrays of one process. `start`: the number of its first sample."""
        with tempfile.TemporaryDirectory(prefix="edgesparse-") as name:
            folder = Path(name)
            (folder / JOB_NAME).write_text(json.dumps(self._job), encoding="utf-8")
            np.save(folder / SAMPLES_ARRAY_NAME, samples)
            process = subprocess.Popen(
                ends_with_parent([sys.executable, "-m", "edgesparse.emulate.worker", name]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=worker_environment(),
            )
            self._processes.append(process)
            with process:
                if self._stopped:
                    process.kill()
                errors = process.communicate()[1]
            if process.returncode != 0:
                lines = [line for line in errors.splitlines() if line.strip()]
                reason = lines[-1] if lines else f"the process ended with code {process.returncode}"
                kind = CrashError if process.returncode == CrashError.exit_code else EdgesparseError
                raise kind(f"samples {start} to {start + len(samples) - 1}: {reason}")
            with np.load(folder / TRACE_NAME) as arrays:
                return {key: arrays[key] for key in arrays.files}

    def stop(self) -> None:
        """End all processes."""
        self._stopped = True
        for process in list(self._processes):
            process.kill()


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
