"""From an int8 model to a firmware project and its dense twin, built, run, and compared with the reference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import edgesparse
from edgesparse import firmware as firmware_project
from edgesparse.boards import Board
from edgesparse.emulate import EMULATORS, Profile, Trace, choose_memory_profile, profile_slowest
from edgesparse.errors import DoesNotFitError, MismatchError, SettingsError
from edgesparse.firmware.room import Contents, check_fits, explain_overflow, fits, with_room
from edgesparse.graph import FloatArray, Graph, Tensor
from edgesparse.lowering import PackedModel, lower
from edgesparse.lowering.arena import MemoryPlan, plan_memory
from edgesparse.measure.baseline import dense_as_baseline, measure_baseline
from edgesparse.measure.runtimes import RUN_TIMEOUT_S, RUNTIMES
from edgesparse.missing import unavailable
from edgesparse.network import Network
from edgesparse.oracle import reference_outputs, zero_shares
from edgesparse.report import assemble
from edgesparse.report.arena import arena_part
from edgesparse.report.board import board_warnings
from edgesparse.report.timing import memory_part
from edgesparse.settings import Settings
from edgesparse.tflm import estimate_arena_bytes, tflm_model
from edgesparse.tflm.stock import stock_model
from edgesparse.toolchain import Elf, Toolchain

__all__ = [
    "Progress",
    "check_equal",
    "contents_of",
    "deploy",
    "elf_inputs",
    "measure",
    "measured_zero_inputs",
    "plan_firmware",
    "projects",
]

Progress = Callable[[str], None]


def deploy(
    folder: Path,
    source: Mapping[str, str],
    settings: Settings,
    board: Board,
    tools: Toolchain,
    sparse: Network,
    dense: Network,
    vectors: npt.NDArray[Any],
    samples: FloatArray | None,
    warnings: list[str],
    say: Progress,
) -> dict[str, Any]:
    """Write the two projects and the int8 files into `folder`, build and run them; all of report.json.

    samples: float inputs [n, ...] that are like those in use; activation sparsity is measured on them.
    """
    zero_inputs = _zero_inputs(sparse, samples)
    measured = {} if isinstance(zero_inputs, str) else zero_inputs
    tool = f"edgesparse {edgesparse.__version__}"
    for name, model in (("firmware", sparse), ("dense", dense)):
        packed, memory = plan_firmware(model.graph, board, settings, dense_only=name == "dense", zero_inputs=measured)
        target = _room_for(board, contents_of(model.graph, packed, memory, settings), settings, name)
        if target is not board:
            warnings.append(_no_room(board))
        inputs = model.quantized(vectors) if vectors.dtype == np.float32 else vectors
        sha256 = hashlib.sha256(model.data).hexdigest()
        view = firmware_project.describe(
            model.graph,
            packed,
            memory,
            inputs,
            reference_outputs(model.data, inputs).outputs,
            name=firmware_project.model_name(source["path"]),
            tool=tool,
            source_sha256=sha256,
            runtime=settings.runtime,
            weights=settings.weights,
        )
        firmware_project.render(view, target, folder / name)
        micro = tflm_model(model.data, model.graph, packed, board.core)
        arena_bytes = estimate_arena_bytes(model.graph, packed, micro)
        firmware_project.render_tflm(
            micro, target, folder / name, arena_bytes=arena_bytes, tool=tool, source_sha256=sha256
        )
    (folder / "model.int8.tflite").write_bytes(sparse.data)
    (folder / "dense" / "model.int8.tflite").write_bytes(dense.data)
    say("encoding for TFLite Micro")
    stock = stock_model(sparse, sparse.quantized(vectors), max_arena=settings.tflm_max_arena)
    (folder / "model.tflm.tflite").write_bytes(stock.data)
    packed, memory = plan_firmware(sparse.graph, board, settings, dense_only=False, zero_inputs=measured)
    twin = lower(_twin_graph(sparse.graph, dense.graph), board.core, dense_only=True)
    no_float = unavailable("a .tflite comes without a float model and without data")
    report: dict[str, Any] = {
        "schema": assemble.SCHEMA,
        "edgesparse": edgesparse.__version__,
        "source": dict(source),
        "settings": asdict(settings),
        "environment": {},
        "accuracy": no_float,
        "fidelity": no_float,
        "model": assemble.model_part(sparse.stats)
        | {"activation_sparsity": assemble.activation_part(sparse.graph, zero_inputs)},
        "files": {path.name: path.stat().st_size for path in sorted(folder.glob("*.tflite"))},
        "board": assemble.board_part(board),
    }
    layers = assemble.layers_part(sparse.graph, sparse.stats, packed, twin, memory, zero_inputs)
    arena: Any = arena_part(sparse.graph, packed, memory)
    layers = [layer | {"tflm_decode": part} for layer, part in zip(layers, stock.layers, strict=True)]
    if settings.runtime == "tflm":
        arena = unavailable("TFLite Micro plans its arena")
        layers = assemble.tflm_layers(layers, tflm_model(sparse.data, sparse.graph, packed, board.core).custom)
    report |= measure(folder, settings, board, tools, layers, say)
    return report | {
        "arena_plan": arena,
        "tflm_decode": stock.report,
        "budgets": [],
        "warnings": [*board_warnings(board), *warnings, *stock.warnings],
    }


def measure(
    folder: Path,
    settings: Settings,
    board: Board,
    tools: Toolchain,
    layers: list[dict[str, Any]],
    say: Progress,
    *,
    profile: bool = False,
) -> dict[str, Any]:
    """Build and run both projects; the measured parts of report.json. MismatchError where outputs differ.

    profile: add `profile`, where each build's slowest vector spends its cycles.
    """
    waits = choose_memory_profile(settings.memory_profile, board)
    profiles: dict[str, Any] = {}
    runtime, emulator = RUNTIMES[settings.runtime], EMULATORS[settings.emulator]
    runs: dict[str, tuple[dict[str, Any], Trace]] = {}
    names = [layer["name"] for layer in layers]
    reference, vectors = "", 0
    for name, (project, model) in projects(folder).items():
        say(f"building {project.name} and running it on {board.name} ({settings.emulator})")
        packed, memory = plan_firmware(
            model.graph, board, settings, dense_only=name == "dense", zero_inputs=measured_zero_inputs(layers)
        )
        contents = contents_of(model.graph, packed, memory, settings)
        target = _room_for(board, contents, settings, project.name)
        try:
            elf, trace = runtime.run(project, tools, target, emulator, names)
        except DoesNotFitError as error:
            raise explain_overflow(error, contents, target, build=project.name) from error
        inputs = elf_inputs(elf, model.input)
        oracle = reference_outputs(model.data, inputs)
        check_equal(trace.outputs, oracle.outputs, oracle.reference, project.name)
        if trace.selftest is not None and not trace.selftest.outputs_ok:
            raise MismatchError(f"{project.name}: its self-test fails although its outputs are right; convert again")
        sizes = runtime.build_part(elf, memory)
        timed: Profile | str = ""
        if profile or waits is not None:
            say(f"timing {project.name}")
            timed = profile_slowest(emulator, elf, target, trace, waits, timeout_s=RUN_TIMEOUT_S, layer_names=names)
            macs = [layer["macs"] for layer in layers]
            profiles[name] = unavailable(timed) if isinstance(timed, str) else timed.as_json(macs)
        run = assemble.run_part(sizes, trace, board) | {"memory": memory_part(timed, waits, board)}
        runs[name] = (sizes | run, trace)
        reference, vectors = oracle.reference, len(inputs)
    sparse, dense = runs["sparse"][0], runs["dense"][0]
    # The dense twin is the last that ran: project, memory and oracle are its.
    if settings.runtime == "tflm":
        baseline = dense_as_baseline(dense, target, tools, oracle)
    else:
        baseline = measure_baseline(project, target, emulator, names, memory, oracle, say)
    return {
        "environment": assemble.environment_part(tools.version(), runs["sparse"][1].emulator),
        "sparse": sparse,
        "dense": dense,
        "baseline": baseline,
        "ratio": assemble.ratio_part(sparse, dense),
        "bit_exact": {"ok": True, "vectors": vectors, "reference": reference},
        "layers": assemble.measure_layers(layers, runs["sparse"][1], runs["dense"][1]),
        **({"profile": profiles} if profile else {}),
    }


def projects(folder: Path) -> dict[str, tuple[Path, Network]]:
    """The sparse project and its dense twin, each with the int8 model that it must agree with."""
    return {
        "sparse": (folder / "firmware", Network.load(folder / "model.int8.tflite")),
        "dense": (folder / "dense", Network.load(folder / "dense" / "model.int8.tflite")),
    }


def plan_firmware(
    graph: Graph,
    board: Board,
    settings: Settings,
    *,
    dense_only: bool,
    zero_inputs: Mapping[int, float] | None = None,
) -> tuple[PackedModel, MemoryPlan]:
    """Kernels and arena of one build. zero_inputs: by op index, the measured share of zero inputs."""
    packed = lower(graph, board.core, dense_only=dense_only, optimize=settings.optimize, zero_inputs=zero_inputs)
    return packed, plan_memory(graph, packed)


def _twin_graph(sparse: Graph, dense: Graph) -> Graph:
    """The dense network where it is the sparse one op for op: its layers are larger where channels were removed."""
    same = [op.kind for op in sparse.ops] == [op.kind for op in dense.ops]
    return dense if same else sparse


def measured_zero_inputs(layers: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """What `layers` of report.json says of activation sparsity, by op index."""
    values = {index: layer.get("activation_sparsity") for index, layer in enumerate(layers)}
    return {index: value for index, value in values.items() if isinstance(value, float)}


def _zero_inputs(network: Network, samples: FloatArray | None) -> dict[int, float] | str:
    """By op index, the share of input values at the zero point; or why it is not known."""
    if samples is None:
        return "no data to measure on; give --data FILE"
    shares = zero_shares(network.data, network.quantized(samples))
    if isinstance(shares, str):
        return f"tflite-runtime: {shares}"
    found = {index: float(shares[network.graph.first_activation(op)]) for index, op in enumerate(network.graph.ops)}
    return {index: round(share, 4) for index, share in found.items() if not np.isnan(share)}


def contents_of(graph: Graph, packed: PackedModel, memory: MemoryPlan, settings: Settings) -> Contents:
    """What a firmware with these settings holds."""
    return Contents(graph, packed, memory, settings.vectors, weights_in_ram=settings.weights == "sram")


def _room_for(board: Board, contents: Contents, settings: Settings, build: str) -> Board:
    """The board; for a dense twin that it is too small for, one with more memory, which only unicorn can emulate.

    DoesNotFitError where the sparse build does not fit.
    """
    if build != "dense" or fits(contents, board):
        check_fits(contents, board, build=build)
        return board
    if settings.emulator != "unicorn":
        raise SettingsError(f"{_no_room(board)}, which {settings.emulator} cannot; use --emulator unicorn")
    return with_room(board, contents)


def _no_room(board: Board) -> str:
    return f"the dense twin does not fit board {board.name!r}: it runs with more memory than the board has"


def elf_inputs(elf: Elf, tensor: Tensor) -> npt.NDArray[Any]:
    """The test inputs [n, ...] that the firmware holds."""
    raw = elf.read(elf.symbol("vectors_inputs"))
    return np.frombuffer(raw, tensor.dtype).reshape(-1, *tensor.shape[1:])


def check_equal(
    outputs: Sequence[bytes], expected: npt.NDArray[Any], reference: str, project: str, *, what: str = "input"
) -> None:
    """MismatchError, which names the first input, unless the device's outputs are the reference's, byte for byte."""
    if len(outputs) != len(expected):
        raise MismatchError(f"{project}: {len(outputs)} outputs from the device, expected {len(expected)}")
    for index, (ours, theirs) in enumerate(zip(outputs, expected, strict=True)):
        wanted = np.ascontiguousarray(theirs).tobytes()
        if ours != wanted:
            differing = [i for i, (a, b) in enumerate(zip(ours, wanted, strict=True)) if a != b]
            first = differing[0]
            raise MismatchError(
                f"{project}: output of {what} {index} differs from {reference} in {len(differing)} of "
                f"{len(wanted)} bytes, first at byte {first}: expected {wanted[first]}, got {ours[first]}; "
                "please report this"
            )
