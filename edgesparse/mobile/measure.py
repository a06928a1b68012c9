"""Load time, latency and memory of the dense and the sparse file, side by side on the installed runtimes."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import OutputError, SettingsError, ToolMissingError
from edgesparse.missing import Missing
from edgesparse.mobile.xnnpack import host_refusal, sparse_plan
from edgesparse.oracle import PHONE_RUNTIMES, runtime_remedy, runtime_version, worker_environment
from edgesparse.record import from_json
from edgesparse.report.stored import read_report
from edgesparse.result import Mobile, MobileBench, MobileFile, MobileLayer, MobileRun, MobileRuntime
from edgesparse.system import processes
from edgesparse.system.scratch import working_folder
from edgesparse.tflite import read_graph

__all__ = ["bench"]

_MODULES = {"tflite-runtime": "tflite_runtime.interpreter", "litert": "ai_edge_litert.interpreter"}
_TIMEOUT_S = 600


@dataclass(frozen=True)
class _Sample:
    """What the worker prints of one process."""

    load_ms: float
    first_ms: float
    latencies_ms: tuple[float, ...]
    memory_bytes: int


def bench(
    folder: Path, *, threads: int = 1, rounds: int = 5, runs: int = 50, progress: Callable[[str], None]
) -> MobileBench:
    """Measure the phone files of an output folder.

    Every measurement has a process of its own; a round measures the dense, then the sparse file, so that both meet the
    same load of the machine. rounds: processes per file and runtime; runs: inferences per process.
    OutputError where the folder lacks a file, ToolMissingError where no runtime is installed.
    """
    for name, value in (("threads", threads), ("rounds", rounds), ("runs", runs)):
        if not 1 <= value <= 10_000:
            raise SettingsError(f"{name}: expected a whole number from 1 to 10000, got {value}")
    report = read_report(folder)
    dtype = report.settings.mobile_dtype
    files = _files(folder, dtype)
    layers = _layers(files["dense"].read_bytes(), report.mobile)
    versions = {runtime: runtime_version(distribution) for runtime, distribution in PHONE_RUNTIMES.items()}
    if not any(versions.values()):
        raise ToolMissingError("no runtime for phones is installed; pip install edgesparse[mobile]")
    runtimes: dict[str, MobileRuntime | Missing] = {}
    for runtime, version in versions.items():
        if version is None:
            runtimes[runtime] = Missing(f"not installed; {runtime_remedy(runtime)}")
            continue
        progress(f"measuring on {runtime} {version}")
        runtimes[runtime] = _measure(runtime, version, files, threads, rounds, runs)
    refusal = host_refusal()
    return MobileBench(
        folder=str(folder),
        dtype=dtype,
        threads=threads,
        rounds=rounds,
        runs=runs,
        files={role: MobileFile(path.name, path.stat().st_size) for role, path in files.items()},
        machine=platform.machine(),
        sparse_kernels=Missing(refusal) if refusal else "XNNPACK's, float",
        runtimes=runtimes,
        layers=layers,
    )


def _files(folder: Path, dtype: str) -> dict[str, Path]:
    dense = "model.float32.tflite" if dtype == "float32" else "model.int8.tflite"
    files = {"dense": folder / dense, "sparse": folder / "model.sparse.tflite"}
    for path in files.values():
        if not path.is_file():
            raise OutputError(f"{path}: no such file; run edgesparse convert again")
    return files


def _measure(
    runtime: str, version: str, files: Mapping[str, Path], threads: int, rounds: int, runs: int
) -> MobileRuntime:
    samples: dict[str, list[_Sample]] = {role: [] for role in files}
    outputs: dict[str, npt.NDArray[Any]] = {}
    failures: dict[str, str] = {}
    with working_folder() as scratch:
        for _ in range(rounds):
            for role, path in files.items():
                if role in failures:
                    continue
                output = scratch / f"{role}.npy"
                result = _run(runtime, path, threads, runs, output)
                if isinstance(result, str):
                    failures[role] = result
                else:
                    samples[role].append(result)
                    outputs[role] = np.load(output)
    figures = {role: Missing(failures[role]) if role in failures else _summary(samples[role]) for role in files}
    difference: float | Missing = Missing("a file did not run")
    if not failures:
        dense, sparse = (outputs[role].astype(np.float64) for role in ("dense", "sparse"))
        difference = float(np.abs(dense - sparse).max())
    return MobileRuntime(version, figures["dense"], figures["sparse"], difference)


def _summary(samples: Sequence[_Sample]) -> MobileRun:
    latencies = np.concatenate([sample.latencies_ms for sample in samples])
    return MobileRun(
        load_ms=round(float(np.median([sample.load_ms for sample in samples])), 4),
        first_ms=round(float(np.median([sample.first_ms for sample in samples])), 4),
        latency_ms=round(float(np.median(latencies)), 4),
        latency_p90_ms=round(float(np.quantile(latencies, 0.9)), 4),
        memory_bytes=int(np.median([sample.memory_bytes for sample in samples])),
    )


def _run(runtime: str, model: Path, threads: int, runs: int, output: Path) -> _Sample | str:
    """What the worker printed, or the reason why it failed."""
    command = [sys.executable, "-m", "edgesparse.mobile.measure_worker", _MODULES[runtime], str(model)]
    arguments = [*command, str(threads), str(runs), str(output)]
    done = processes.run(arguments, timeout_s=_TIMEOUT_S, env=worker_environment())
    if done.stopped:
        return f"the process {done.stopped}"
    if done.code == 0:
        return from_json(_Sample, json.loads(done.output))
    lines = [line for line in done.errors.splitlines() if line.strip()]
    return lines[-1] if lines else f"the process ended with code {done.code}"


def _layers(dense: bytes, mobile: Mobile) -> tuple[MobileLayer, ...]:
    """How each layer with weights is stored, and whether it is on XNNPACK's sparse path here."""
    refusal = host_refusal()
    stored = {tensor.operator: tensor for tensor in mobile.tensors}
    encoded = [operator for operator, tensor in stored.items() if tensor.storage != "dense"]
    rows = []
    for layer in sparse_plan(read_graph(dense), encoded).layers:
        tensor = stored.get(layer.operator)
        rows.append(
            MobileLayer(
                name=layer.name if tensor is None else tensor.name,
                op=layer.op,
                storage="dense" if tensor is None else tensor.storage,
                sparsity=round(layer.sparsity, 6),
                meets_conditions=layer.sparse,
                block=layer.block,
                sparse_path=layer.sparse and not refusal,
                reason=layer.reason or refusal,
            )
        )
    return tuple(rows)
