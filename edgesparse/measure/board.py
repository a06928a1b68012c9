"""The firmware of an output folder on a real board: programmed, run, compared with the reference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesparse.boards import Board
from edgesparse.emulate.trace import Console, parse_console
from edgesparse.firmware.room import check_fits
from edgesparse.flash import ProbeOptions, check_elf, choose_prober, console_of
from edgesparse.measure.runtimes import RUN_TIMEOUT_S, RUNTIMES
from edgesparse.measure.twins import (
    Progress,
    check_equal,
    contents_of,
    elf_inputs,
    measured_zero_inputs,
    plan_firmware,
    projects,
)
from edgesparse.missing import unavailable
from edgesparse.oracle import reference_outputs
from edgesparse.report.assemble import latencies
from edgesparse.settings import Settings
from edgesparse.toolchain import Toolchain

__all__ = ["DeviceRun", "run_on_board"]


@dataclass(frozen=True)
class DeviceRun:
    """`commands`: what was run, or would be. `figures`: of `device` in report.json; empty where nothing was run."""

    commands: tuple[str, ...]
    figures: dict[str, Any]


def run_on_board(
    folder: Path,
    settings: Settings,
    board: Board,
    tools: Toolchain,
    options: ProbeOptions,
    report: Mapping[str, Any],
    say: Progress,
    *,
    dense: bool,
    dry_run: bool,
) -> DeviceRun:
    """Build, program and run one build. dense: the dense twin in place of the sparse firmware.

    ToolMissingError without a tool or a probe; MismatchError and CrashError as in the emulator.
    """
    prober = choose_prober(board, options)
    version = "" if dry_run else prober.require(board)
    project, model = projects(folder)["dense" if dense else "sparse"]
    packed, memory = plan_firmware(
        model.graph, board, settings, dense_only=dense, zero_inputs=measured_zero_inputs(report["layers"])
    )
    check_fits(contents_of(model.graph, packed, memory, settings), board, build=project.name)
    say(f"building {project.name}")
    elf = RUNTIMES[settings.runtime].build(project, tools, board)
    check_elf(elf, board)
    names = [layer["name"] for layer in report["layers"]]
    with tempfile.TemporaryDirectory(prefix="edgesparse-") as scratch:
        steps = prober.steps(elf, board, options, Path(scratch))
        commands = tuple(map(str, steps.commands))
        if dry_run:
            return DeviceRun(commands, {})
        say(f"programming {board.name} with {prober.name} and running {project.name}")
        console = parse_console(console_of(prober, steps, timeout_s=RUN_TIMEOUT_S), elf, layer_names=names)
    oracle = reference_outputs(model.data, elf_inputs(elf, model.input))
    check_equal(console.outputs, oracle.outputs, oracle.reference, f"{project.name} on {board.name}")
    figures = {
        "probe": f"{prober.name} {version}",
        "board": board.name,
        "counter": console.counter,
        **_cycles(console, board),
        "instructions": unavailable("a board counts cycles; the emulator counts instructions"),
        "stack_bytes": console.stack_used_bytes,
        "arena_high_water_bytes": console.arena_used_bytes,
        "bit_exact": {"ok": True, "vectors": console.vectors, "reference": oracle.reference},
    }
    return DeviceRun(commands, figures)


def _cycles(console: Console, board: Board) -> dict[str, Any]:
    """Cycles and latency of the slowest vector."""
    most, least = max(console.ticks), min(console.ticks)
    if board.emulated:
        reason = unavailable(f"the {console.counter} of an emulated board counts time, not cycles of a core")
        return {
            "ticks": most,
            **dict.fromkeys(("cycles", "cycles_min", "latency_ms", "latency_max_clock_ms"), reason),
        }
    figures: dict[str, Any] = {"ticks": most, "cycles": most, "cycles_min": least, **latencies(most, board)}
    if board.max_clock_hz != board.clock_hz:
        figures["latency_max_clock_ms"] = unavailable(
            f"measured at {board.clock_hz / 1e6:g} MHz: at {board.max_clock_hz / 1e6:g} MHz the flash waits longer"
        )
    return figures
