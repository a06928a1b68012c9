"""Run a firmware in qemu-system-arm, whose virtual clock counts instructions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgesparse.arch.arm_m.timing.model import has_timing
from edgesparse.boards import Board
from edgesparse.emulate.samples import SAMPLES_NAME, sample_file
from edgesparse.emulate.trace import Trace, parse_console
from edgesparse.errors import CrashError, SettingsError, ToolMissingError
from edgesparse.system import processes
from edgesparse.system.scratch import working_folder
from edgesparse.toolchain.elf import Elf

__all__ = ["GET_QEMU", "Qemu", "machine_of", "qemu_version"]

GET_QEMU = "install qemu-system-arm (Debian: apt install qemu-system-arm)"
FAILURES = ("es fault", "es overrun", "es unstable", "es refused", "es selftest fail")
NANOSECONDS_PER_SECOND = 1_000_000_000


def qemu_version() -> str | None:
    """QEMU's version, such as `7.2.22`; None where it is not installed."""
    path = shutil.which("qemu-system-arm")
    if path is None:
        return None
    try:
        done = processes.run([path, "--version"], timeout_s=60)
    except OSError as error:
        raise ToolMissingError(f"qemu-system-arm does not run: {error}; {GET_QEMU}") from error
    if done.code != 0 or done.stopped:
        why = done.stopped or f"it ended with code {done.code}"
        raise ToolMissingError(f"qemu-system-arm does not run: {why}; {GET_QEMU}")
    match = re.search(r"version (\S+)", done.output)
    return match[1] if match else done.output.strip()


@dataclass(frozen=True)
class Qemu:
    """qemu-system-arm. No figures per layer: SysTick is all that it offers."""

    name: str = "qemu"

    def run(
        self,
        elf: Elf,
        board: Board,
        *,
        timeout_s: float,
        layer_names: Sequence[str] = (),
        samples: npt.NDArray[Any] | None = None,
    ) -> Trace:
        """See Emulator."""
        version = qemu_version()
        if version is None:
            raise ToolMissingError(f"qemu-system-arm not found; {GET_QEMU}, or use --emulator unicorn")
        machine = machine_of(board)
        # A folder of its own: what the harness finds in it decides what it runs.
        with working_folder() as folder:
            if samples is not None:
                (folder / SAMPLES_NAME).write_bytes(sample_file(samples))
            output, errors, code = _execute(elf, machine, timeout_s, folder)
        if code != 0 and not any(line in output for line in FAILURES):
            reason = next((line for line in errors.splitlines() if line.strip()), "no message")
            raise CrashError(f"qemu-system-arm stopped with code {code}: {reason}; the firmware is {elf.path}")
        console = parse_console(output, elf, layer_names=layer_names)
        return Trace(
            emulator=f"qemu {version}",
            outputs=console.outputs,
            instructions=tuple(_instructions(ticks, board) for ticks in console.ticks),
            layer_instructions=None,
            cycles=None,
            layer_cycles=None,
            cycle_model=_no_cycles(board),
            stack_bytes=console.stack_used_bytes,
            arena_bytes=console.arena_used_bytes,
            arena_needed_bytes=console.arena_needed_bytes,
            selftest=console.selftest,
        )


def _instructions(ticks: int, board: Board) -> int:
    """-icount shift=0: an instruction takes one nanosecond of virtual time; the counter runs at the core's clock."""
    return round(ticks * NANOSECONDS_PER_SECOND / board.clock_hz)


def _no_cycles(board: Board) -> str:
    if not has_timing(board.core.name):
        return f"no timing model for {board.core.name}"
    return "QEMU counts instructions only; the unicorn emulator estimates cycles"


def machine_of(board: Board) -> str:
    """What QEMU calls a board; SettingsError for one that it does not model."""
    if board.qemu_machine is None:
        raise SettingsError(f"QEMU does not model the board {board.name!r}; use --emulator unicorn")
    return board.qemu_machine


def _execute(elf: Elf, machine: str, timeout_s: float, folder: Path) -> tuple[str, str, int]:
    """Standard output (the semihosting console), standard error, and exit code. `folder`: the working folder."""
    command = ["qemu-system-arm", "-M", machine, "-icount", "shift=0", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-chardev", "stdio,id=console,signal=off"]
    command += ["-semihosting-config", "enable=on,target=native,chardev=console", "-kernel", str(elf.path.absolute())]
    try:
        done = processes.run(command, timeout_s=timeout_s, cwd=folder)
    except OSError as error:
        raise ToolMissingError(f"qemu-system-arm does not run: {error}; {GET_QEMU}") from error
    if done.stopped:
        raise CrashError(
            f"the firmware {done.stopped} in QEMU and was ended; "
            f"run it with --emulator unicorn to see the layer; the firmware is {elf.path}"
        )
    done.check_killed("qemu-system-arm")
    return done.output, done.errors, done.code
