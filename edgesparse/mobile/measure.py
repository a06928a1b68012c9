"""Load time, latency and memory of the dense and the sparse file, side by side on the installed runtimes."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgesparse.errors import OutputError, SettingsError, ToolMissingError
from edgesparse.mobile.xnnpack import host_refusal, sparse_plan
from edgesparse.oracle import PHONE_RUNTIMES, runtime_remedy, runtime_version, worker_environment
from edgesparse.output import REPORT_NAME, read_report
from edgesparse.tflite import read_graph

__all__ = ["bench"]

_MODULES = {"tflite-runtime": "tflite_runtime.interpreter", "litert": "ai_edge_litert.interpreter"}
_TIMEOUT_S = 600


def bench(
    folder: Path, *, threads: int = 1, rounds: int = 5, runs: int = 50, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure the phone files of an output folder.

    Every measurement has a process of its own; a round measures the dense, then the sparse file, so that both meet the
    same load of the machine. rounds: processes per file and runtime; runs: inferences per process.
    OutputError where the folder lacks a file, ToolMissingError where no runtime is installed.
    """
    for name, value in (("threads", threads), ("rounds", rounds), ("runs", runs)):
        if not 1 <= value <= 10_000:
            raise SettingsError(f"{name}: expected a whole number from 1 to 10000, got {value}")
    report = read_report(folder)
    dtype = report.get("settings", {}).get("mobile_dtype", "int8")
    files = _files(folder, dtype)
    layers = _layers(folder, files["dense"].read_bytes(), report)
    versions = {runtime: runtime_version(distribution) for runtime, distribution in PHONE_RUNTIMES.items()}
    if not any(versions.values()):
        raise ToolMissingError("no runtime for phones is installed; pip install edgesparse[mobile]")
    runtimes: dict[str, Any] = {}
    for runtime, version in versions.items():
        if version is None:
            runtimes[runtime] = {"unavailable": f"not installed; {runtime_remedy(runtime)}"}
            continue
        progress(f"measuring on {runtime} {version}")
        runtimes[runtime] = {"version": version, **_measure(runtime, files, threads, rounds, runs)}
    refusal = host_refusal()
    return {
        "folder": str(folder),
        "dtype": dtype,
        "threads": threads,
        "rounds": rounds,
        "runs": runs,
        "files": {role: {"name": path.name, "bytes": path.stat().st_size} for role, path in files.items()},
        "machine": platform.machine(),
        "sparse_kernels": {"unavailable": refusal} if refusal else "XNNPACK's, float",
        "runtimes": runtimes,
        "layers": layers,
    }


def _files(folder: Path, dtype: str) -> dict[str, Path]:
    dense = "model.float32.tflite" if dtype == "float32" else "model.int8.tflite"
    files = {"dense": folder / dense, "sparse": folder / "model.sparse.tflite"}
    for path in files.values():
        if not path.is_file():
            raise OutputError(f"{path}: no such file; run edgesparse convert again")
    return files


def _measure(runtime: str, files: Mapping[str, Path], threads: int, rounds: int, runs: int) -> dict[str, Any]:
    samples: dict[str, list[dict[str, Any]]] = {role: [] for role in files}
    outputs: dict[str, Any] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="edgesparse-") as scratch:
        for _ in range(rounds):
            for role, path in files.items():
                if role in failures:
                    continue
                output = Path(scratch) / f"{role}.npy"
                result = _run(runtime, path, threads, runs, output)
                if isinstance(result, str):
                    failures[role] = result
                else:
                    samples[role].append(result)
                    outputs[role] = np.load(output)
    figures: dict[str, Any] = {
        role: {"unavailable": failures[role]} if role in failures else _summary(samples[role]) for role in files
    }
    if not failures:
        difference = np.abs(outputs["dense"].astype(np.float64) - outputs["sparse"].astype(np.float64))
        figures["max_difference"] = float(difference.max())
    else:
        figures["max_difference"] = {"unavailable": "a file did not run"}
    return figures


def _summary(samples: list[dict[str, Any]]) -> dict[str, Any]:
    latencies = np.concatenate([sample["latencies_ms"] for sample in samples])
    return {
        "load_ms": round(float(np.median([sample["load_ms"] for sample in samples])), 4),
        "first_ms": round(float(np.median([sample["first_ms"] for sample in samples])), 4),
        "latency_ms": round(float(np.median(latencies)), 4),
        "latency_p90_ms": round(float(np.quantile(latencies, 0.9)), 4),
        "memory_bytes": int(np.median([sample["memory_bytes"] for sample in samples])),
    }


def _run(runtime: str, model: Path, threads: int, runs: int, output: Path) -> dict[str, Any] | str:
    """What the worker printed, or the reason why it failed."""
    command = [sys.executable, "-m", "edgesparse.mobile.measure_worker", _MODULES[runtime], str(model)]
    try:
        done = subprocess.run(
            [*command, str(threads), str(runs), str(output)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env=worker_environment(),
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT_S} s"
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout)
        return result
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"the process ended with code {done.returncode}"


def _layers(folder: Path, dense: bytes, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How each layer with weights is stored, and whether it is on XNNPACK's sparse path here."""
    refusal = host_refusal()
    try:
        stored = {tensor["operator"]: tensor for tensor in report["mobile"]["tensors"]}
        encoded = [operator for operator, tensor in stored.items() if tensor["storage"] != "dense"]
    except (KeyError, TypeError):
        raise OutputError(
            f"{folder / REPORT_NAME}: has no part on phones, or a damaged one; run edgesparse convert again"
        ) from None
    rows = []
    for layer in sparse_plan(read_graph(dense), encoded).layers:
        tensor = stored.get(layer.operator, {})
        rows.append(
            {
                "name": tensor.get("name", layer.name),
                "op": layer.op,
                "storage": tensor.get("storage", "dense"),
                "sparsity": round(layer.sparsity, 6),
                "meets_conditions": layer.sparse,
                "block": layer.block,
                "sparse_path": layer.sparse and not refusal,
                "reason": layer.reason or refusal,
            }
        )
    return rows
