"""A whole dataset on the emulated device."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.data import Dataset as Data
from edgesparse.data import open_data
from edgesparse.emulate import EMULATORS
from edgesparse.emulate.unicorn import Unicorn
from edgesparse.errors import DataError, SettingsError, ToolMissingError
from edgesparse.firmware.build import Build
from edgesparse.graph import FloatArray, Tensor
from edgesparse.measure.run import check_equal
from edgesparse.measure.runtimes import RUN_TIMEOUT_S
from edgesparse.measure.samples import DatasetRun, run_samples
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import OracleRun, reference_outputs
from edgesparse.progress import Progress, silent
from edgesparse.report.fidelity import compare_outputs, score
from edgesparse.result import (
    Dataset,
    DatasetAccuracy,
    DatasetAgreement,
    DatasetInstructions,
    DatasetMemory,
    HostAgreement,
    OutputDistance,
    Spread,
)
from edgesparse.shards import Shards
from edgesparse.toolchain import Elf

__all__ = ["Samples", "read_samples", "run_dataset"]

_ORACLES = 2  # processes of the reference interpreter: each is one thread


@dataclass(frozen=True, eq=False)
class Samples:
    """What is run: x [n, ...] float32, y as in Dataset. `sha256`: of the file, or of the arrays where there is none."""

    source: str
    sha256: str
    x: FloatArray
    y: npt.NDArray[Any] | None


def read_samples(source: str, network: Network, *, limit: int | None = None, say: Progress = silent) -> Samples:
    """The samples that accuracy is measured on: x_test where there is one, else x; the first `limit` of them.

    DataError where they do not fit the network's input, or labels its output; SettingsError for limit < 1.
    """
    if limit is not None and limit < 1:
        raise SettingsError(f"samples: expected a whole number from 1, got {limit}")
    given = open_data(source, say)
    data = _from_shards(given, network, say) if isinstance(given, Shards) else given
    x, y = data.evaluation
    _check(x, y, "x_test" if data.held_out else "x", network, source)
    path = Path(source)
    digest = hashlib.sha256()
    for part in [path.read_bytes()] if path.is_file() else [array.tobytes() for array in (x, y) if array is not None]:
        digest.update(part)
    return Samples(source, digest.hexdigest(), x[:limit], None if y is None else y[:limit])


def _from_shards(shards: Shards, network: Network, say: Progress) -> Data:
    from edgesparse.training.survey import survey

    def check(x: FloatArray, y: npt.NDArray[Any] | None, source: str) -> None:
        _check(x, y, "x", network, source)

    inputs, outputs = network.input.shape[1:], network.output.shape[1:]
    data = survey(shards, inputs=inputs, outputs=outputs, check=check, seed=0, say=say)
    for note in data.notes:
        say(note)
    return data


def _check(x: FloatArray, y: npt.NDArray[Any] | None, name: str, network: Network, source: str) -> None:
    """DataError where samples do not fit the network's input, or labels its output. name: of x, in messages."""
    shape = network.input.shape[1:]
    if x.shape[1:] != shape:
        raise DataError(
            f"--data {source}: {name}: expected shape ({', '.join(['samples', *map(str, shape)])}), got {x.shape}; "
            "reshape the samples to the model's input"
        )
    if y is not None:
        _check_labels(y, network.output, source)


def run_dataset(
    project: Path,
    build: Build,
    setup: Setup,
    samples: Samples,
    float_outputs: FloatArray | Missing,
    *,
    instructions: int,
) -> Dataset:
    """Run every sample on the firmware as built, and compare.

    float_outputs: of the unpruned float model for the same samples. instructions: of one inference, about.
    MismatchError, with the sample's number, where an output differs from the reference's.
    """
    network, board, say = build.network, build.board, setup.say
    elf = setup.runtime.build(project, setup.tools, board)
    inputs = network.quantized(samples.x)
    say(f"running {len(inputs):,} samples on {board.name} ({setup.settings.emulator})")
    run = run_samples(
        elf,
        board,
        setup.settings.emulator,
        inputs,
        timeout_s=RUN_TIMEOUT_S,
        layer_names=build.layer_names,
        progress=say,
        instructions=instructions,
    )
    say("running them in the reference interpreter")
    oracle = _reference(network.data, inputs)
    outputs = [output.tobytes() for output in run.outputs]
    check_equal(outputs, oracle.outputs, oracle.reference, f"{build.name}, {samples.source}", what="sample")
    raw = np.frombuffer(b"".join(outputs), network.output.dtype).reshape(-1, *network.output.shape[1:])
    device, host = network.dequantized(raw), network.dequantized(oracle.outputs)
    cycles = Missing(run.cycle_model) if run.cycles is None else _spread(run.cycles)
    return Dataset(
        source=samples.source,
        sha256=samples.sha256,
        samples=len(inputs),
        emulator=run.emulator,
        accuracy=_accuracy(samples, device, host, float_outputs),
        agreement=DatasetAgreement(
            int8_host=HostAgreement(len(inputs), len(inputs), oracle.reference),
            float=_float_agreement(network, samples, device, float_outputs),
        ),
        instructions=_instructions(run),
        cycles=cycles,
        latency_ms=cycles if isinstance(cycles, Missing) else _milliseconds(cycles, board.clock_hz),
        cycle_model=None if isinstance(cycles, Missing) else run.cycle_model,
        memory=_memory(run, elf, build, setup, inputs),
    )


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
    samples: Samples, device: FloatArray, host: FloatArray, float_outputs: FloatArray | Missing
) -> DatasetAccuracy | Missing:
    y = samples.y
    if y is None:
        return Missing("the data has no labels; add y (or y_test)")
    return DatasetAccuracy(
        metric="top1" if y.dtype.kind == "i" else "mse",
        samples=len(y),
        device=score(device, y),
        int8_host=score(host, y),
        float=float_outputs if isinstance(float_outputs, Missing) else score(float_outputs, y),
    )


def _float_agreement(
    network: Network, samples: Samples, device: FloatArray, float_outputs: FloatArray | Missing
) -> OutputDistance | Missing:
    if isinstance(float_outputs, Missing):
        return float_outputs
    classes = network.graph.ops[-1].kind == "SOFTMAX" or (samples.y is not None and samples.y.dtype.kind == "i")
    return compare_outputs(device, float_outputs, classes=classes)


def _ranked(run: DatasetRun) -> tuple[int, int, int]:
    """The samples with the fewest, the median (the lower one of two) and the most instructions."""
    order = np.argsort(run.instructions, kind="stable")
    return int(order[0]), int(order[(len(order) - 1) // 2]), int(order[-1])


def _instructions(run: DatasetRun) -> DatasetInstructions:
    least, median, most = _ranked(run)
    spread = _spread(run.instructions)
    return DatasetInstructions(
        min=spread.min,
        median=spread.median,
        max=spread.max,
        min_sample=least,
        median_sample=median,
        max_sample=most,
    )


def _spread(values: npt.NDArray[np.int64]) -> Spread:
    ordered = np.sort(values)
    return Spread(int(ordered[0]), int(ordered[(len(ordered) - 1) // 2]), int(ordered[-1]))


def _milliseconds(cycles: Spread, clock_hz: int) -> Spread:
    least, median, most = (round(value / clock_hz * 1000, 4) for value in (cycles.min, cycles.median, cycles.max))
    return Spread(least, median, most)


def _memory(run: DatasetRun, elf: Elf, build: Build, setup: Setup, inputs: npt.NDArray[Any]) -> DatasetMemory | Missing:
    """Cycles with a memory profile, of three samples only: every instruction of them is timed."""
    emulator, board, memory = EMULATORS["unicorn"], build.board, setup.memory_profile
    if memory is None:
        return Missing(f"board {board.name!r} has no memory profile; --memory-profile NAME chooses one")
    if run.cycles is None or not isinstance(emulator, Unicorn):
        return Missing(run.cycle_model)
    setup.say("timing the samples with the fewest, median and most instructions")
    timed: list[int] = []
    for sample in _ranked(run):
        try:
            profile = emulator.profile(
                elf,
                board,
                vector=0,
                memory=memory,
                timeout_s=RUN_TIMEOUT_S,
                layer_names=build.layer_names,
                samples=inputs[sample : sample + 1],
            )
        except ToolMissingError as error:
            return Missing(str(error))
        timed.append(profile.total.memory_cycles or 0)
    cycles = _spread(np.array(timed, np.int64))
    return DatasetMemory(
        profile=memory.name,
        clock_hz=memory.clock_hz,
        of="the samples with the fewest, the median and the most instructions",
        cycles=cycles,
        latency_ms=_milliseconds(cycles, memory.clock_hz),
        error=memory.error,
    )
