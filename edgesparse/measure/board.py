"""The firmware of an output folder on a real board: programmed, run, compared with the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board
from edgesparse.emulate.trace import Console, parse_console
from edgesparse.firmware.build import Build
from edgesparse.firmware.room import check_fits
from edgesparse.flash import ProbeOptions, check_elf, choose_prober, console_of
from edgesparse.measure.run import check_equal, check_inputs
from edgesparse.measure.runtimes import RUN_TIMEOUT_S
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.report.assemble import latencies
from edgesparse.result import BitExact, DeviceRun
from edgesparse.system.scratch import working_folder

__all__ = ["BoardRun", "run_on_board"]


@dataclass(frozen=True)
class BoardRun:
    """`commands`: what was run, or would be. `figures`: None where nothing was run."""

    commands: tuple[str, ...]
    figures: DeviceRun | None


def run_on_board(project: Path, build: Build, setup: Setup, options: ProbeOptions, *, dry_run: bool) -> BoardRun:
    """Compile, program and run one build.

    ToolMissingError without a tool or a probe; MismatchError and CrashError as in the emulator.
    """
    board = setup.board
    prober = choose_prober(board, options)
    version = "" if dry_run else prober.require(board)
    check_fits(build.contents, board, build=build.name)
    setup.say(f"building {build.name}")
    elf = setup.runtime.build(project, setup.tools, board)
    check_elf(elf, board)
    check_inputs(elf, build)
    with working_folder() as scratch:
        steps = prober.steps(elf, board, options, scratch)
        commands = tuple(map(str, steps.commands))
        if dry_run:
            return BoardRun(commands, None)
        setup.say(f"programming {board.name} with {prober.name} and running {build.name}")
        said = console_of(prober, steps, timeout_s=RUN_TIMEOUT_S)
        console = parse_console(said, elf, layer_names=build.layer_names)
    reference = build.reference
    check_equal(console.outputs, reference.outputs, reference.reference, f"{build.name} on {board.name}")
    return BoardRun(commands, _figures(console, build, board, probe=f"{prober.name} {version}"))


def _figures(console: Console, build: Build, board: Board, *, probe: str) -> DeviceRun:
    """Ticks, and cycles and latency where ticks are cycles, of the slowest vector."""
    ticks = max(console.ticks)
    cycles: int | Missing = ticks
    cycles_min: int | Missing = min(console.ticks)
    if board.emulated:
        cycles = cycles_min = Missing(f"the {console.counter} of an emulated board counts time, not cycles of a core")
    latency_ms, latency_max_clock_ms = latencies(cycles, board)
    if not board.emulated and board.max_clock_hz != board.clock_hz:
        latency_max_clock_ms = Missing(
            f"measured at {board.clock_hz / 1e6:g} MHz: at {board.max_clock_hz / 1e6:g} MHz the flash waits longer"
        )
    return DeviceRun(
        probe=probe,
        board=board.name,
        counter=console.counter,
        ticks=ticks,
        cycles=cycles,
        cycles_min=cycles_min,
        latency_ms=latency_ms,
        latency_max_clock_ms=latency_max_clock_ms,
        instructions=Missing("a board counts cycles; the emulator counts instructions"),
        stack_bytes=console.stack_used_bytes,
        arena_high_water_bytes=console.arena_used_bytes,
        bit_exact=BitExact(ok=True, vectors=console.vectors, reference=build.reference.reference),
    )
