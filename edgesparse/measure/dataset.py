"""A whole dataset on the emulated device: `dataset` of report.json."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.boards import Board
from edgesparse.data import load_data
from edgesparse.emulate import EMULATORS, MemoryProfile, choose_memory_profile
from edgesparse.emulate.unicorn import Unicorn
from edgesparse.errors import DataError, SettingsError, ToolMissingError
from edgesparse.graph import FloatArray, Tensor
from edgesparse.measure.runtimes import RUN_TIMEOUT_S, RUNTIMES
from edgesparse.measure.samples import DatasetRun, run_samples
from edgesparse.measure.twins import check_equal
from edgesparse.missing import unavailable
from edgesparse.network import Network
from edgesparse.oracle import OracleRun, reference_outputs
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.settings import Settings
from edgesparse.toolchain import Elf, Toolchain

__all__ = ["Samples", "evaluate", "read_samples"]

_ORACLES = 2  # processes of the reference interpreter: each is one thread


@dataclass(frozen=True, eq=False)
class Samples:
    """What is run: x [n, ...] float32, y as in Dataset. `sha256`: of the file, or of the arrays where there is none."""

    source: str
    sha256: str
    x: FloatArray
    y: npt.NDArray[Any] | None


def read_samples(source: str, network: Network, *, limit: int | None = None) -> Samples:
    """The samples that accuracy is measured on: x_test where there is one, else x; the first `limit` of them.

    DataError where they do not fit the network's input, or labels its output; SettingsError for limit < 1.
    """
    if limit is not None and limit < 1:
        raise SettingsError(f"samples: expected a whole number from 1, got {limit}")
    data = load_data(source)
    x, y = data.evaluation
    name = "x_test" if data.held_out else "x"
    shape = network.input.shape[1:]
    if x.shape[1:] != shape:
        raise DataError(
            f"--data {source}: {name}: expected shape ({', '.join(['samples', *map(str, shape)])}), got {x.shape}; "
            "reshape the samples to the model's input"
        )
    if y is not None:
        _check_labels(y, network.output, source)
    path = Path(source)
    digest = hashlib.sha256()
    for part in [path.read_bytes()] if path.is_file() else [array.tobytes() for array in (x, y) if array is not None]:
        digest.update(part)
    return Samples(source, digest.hexdigest(), x[:limit], None if y is None else y[:limit])


def evaluate(
    project: Path,
    network: Network,
    settings: Settings,
    board: Board,
    tools: Toolchain,
    samples: Samples,
    float_outputs: FloatArray | str,
    say: Callable[[str], None],
    *,
    layer_names: Sequence[str] = (),
    instructions: int = 1,
) -> dict[str, Any]:
    """Run every sample on the firmware as built, and compare; `dataset` of report.json.

    instructions: of one inference, about.
    float_outputs: of the unpruned float model for the same samples, or why there are none.
    MismatchError, with the sample's number, where an output differs from the reference's.
    """
    elf = RUNTIMES[settings.runtime].build(project, tools, board)
    inputs = network.quantized(samples.x)
    say(f"running {len(inputs):,} samples on {board.name} ({settings.emulator})")
    run = run_samples(
        elf,
        board,
        settings.emulator,
        inputs,
        timeout_s=RUN_TIMEOUT_S,
        layer_names=layer_names,
        progress=say,
        instructions=instructions,
    )
    say("running them in the reference interpreter")
    oracle = _reference(network.data, inputs)
    outputs = [output.tobytes() for output in run.outputs]
    check_equal(outputs, oracle.outputs, oracle.reference, f"{project.name}, {samples.source}", what="sample")
    raw = np.frombuffer(b"".join(outputs), network.output.dtype).reshape(-1, *network.output.shape[1:])
    device, host = network.dequantized(raw), network.dequantized(oracle.outputs)
    waits = choose_memory_profile(settings.memory_profile, board)
    return {
        "source": samples.source,
        "sha256": samples.sha256,
        "samples": len(inputs),
        "emulator": run.emulator,
        "accuracy": _accuracy(samples, device, host, float_outputs),
        "agreement": {
            "int8_host": {"equal": len(inputs), "samples": len(inputs), "reference": oracle.reference},
            "float": _float_agreement(network, samples, device, float_outputs),
        },
        **_latency(run, board),
        "memory": _memory(run, elf, board, waits, inputs, layer_names, say),
    }


def _check_labels(y: npt.NDArray[Any], output: Tensor, source: str) -> None:
    values = int(np.prod(output.shape[1:]))
    if y.dtype.kind == "i":
        classes = max(values, 2)  # one output is the probability of class 1
        if y.min() < 0 or y.max() >= classes:
            raise DataError(
                f"--data {source}: labels run from {y.min()} to {y.max()}, the model has {classes} classes: 0 to "
                f"{classes - 1}"
            )
    elif y.reshape(len(y), -1).shape[1] != values:
        raise DataError(
            f"--data {source}: targets have shape {y.shape}, the model's output is "
            f"({', '.join(['samples', *map(str, output.shape[1:])])})"
        )


def _reference(model: bytes, inputs: npt.NDArray[Any]) -> OracleRun:
    """The reference's outputs, in several processes."""
    parts = np.array_split(inputs, min(_ORACLES, len(inputs)))
    with ThreadPoolExecutor(len(parts)) as pool:
        runs = list(pool.map(lambda part: reference_outputs(model, part), parts))
    return OracleRun(np.concatenate([run.outputs for run in runs]), runs[0].reference)


def _accuracy(
    samples: Samples, device: FloatArray, host: FloatArray, float_outputs: FloatArray | str
) -> dict[str, Any]:
    y = samples.y
    if y is None:
        return unavailable("the data has no labels; add y (or y_test)")
    return {
        "metric": "top1" if y.dtype.kind == "i" else "mse",
        "samples": len(y),
        "device": score(device, y),
        "int8_host": score(host, y),
        "float": unavailable(float_outputs) if isinstance(float_outputs, str) else score(float_outputs, y),
    }


def _float_agreement(
    network: Network, samples: Samples, device: FloatArray, float_outputs: FloatArray | str
) -> dict[str, Any]:
    if isinstance(float_outputs, str):
        return unavailable(float_outputs)
    classes = network.graph.ops[-1].kind == "SOFTMAX" or (samples.y is not None and samples.y.dtype.kind == "i")
    return dict(compare_outputs(device, float_outputs, classes=classes))


def _latency(run: DatasetRun, board: Board) -> dict[str, Any]:
    """`instructions`, `cycles` and `latency_ms`: least, median (the lower one of two) and most."""
    order = np.argsort(run.instructions, kind="stable")
    part: dict[str, Any] = {
        "instructions": {
            **_spread(run.instructions),
            "min_sample": int(order[0]),
            "median_sample": int(order[(len(order) - 1) // 2]),
            "max_sample": int(order[-1]),
        }
    }
    if run.cycles is None:
        return part | dict.fromkeys(("cycles", "latency_ms"), unavailable(run.cycle_model))
    cycles = _spread(run.cycles)
    return part | {
        "cycles": cycles,
        "latency_ms": _milliseconds(cycles, board.clock_hz),
        "cycle_model": run.cycle_model,
    }


def _spread(values: npt.NDArray[np.int64]) -> dict[str, int]:
    ordered = np.sort(values)
    return {"min": int(ordered[0]), "median": int(ordered[(len(ordered) - 1) // 2]), "max": int(ordered[-1])}


def _milliseconds(cycles: dict[str, int], clock_hz: int) -> dict[str, float]:
    return {name: round(value / clock_hz * 1000, 4) for name, value in cycles.items()}


def _memory(
    run: DatasetRun,
    elf: Elf,
    board: Board,
    waits: MemoryProfile | None,
    inputs: npt.NDArray[Any],
    layer_names: Sequence[str],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Cycles with a memory profile, of three samples only: every instruction of them is timed."""
    emulator = EMULATORS["unicorn"]
    if waits is None:
        return unavailable(f"board {board.name!r} has no memory profile; --memory-profile NAME chooses one")
    if run.cycles is None or not isinstance(emulator, Unicorn):
        return unavailable(run.cycle_model)
    say("timing the samples with the fewest, median and most instructions")
    order = np.argsort(run.instructions, kind="stable")
    timed: list[int] = []
    for sample in (order[0], order[(len(order) - 1) // 2], order[-1]):
        try:
            profile = emulator.profile(
                elf,
                board,
                vector=0,
                memory=waits,
                timeout_s=RUN_TIMEOUT_S,
                layer_names=layer_names,
                samples=inputs[sample : sample + 1],
            )
        except ToolMissingError as error:
            return unavailable(str(error))
        timed.append(profile.total.memory_cycles or 0)
    cycles = _spread(np.array(timed, np.int64))
    return {
        "profile": waits.name,
        "clock_hz": waits.clock_hz,
        "of": "the samples with the fewest, the median and the most instructions",
        "cycles": cycles,
        "latency_ms": _milliseconds(cycles, waits.clock_hz),
        "error": waits.error,
    }
