"""Run a built firmware on an emulated board."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from edgesparse.arch.arm_m.machine import CPU_MODELS
from edgesparse.arch.arm_m.timing.model import MemoryProfile, memory_profile, memory_profile_names
from edgesparse.boards import Board
from edgesparse.emulate.profile import Profile
from edgesparse.emulate.qemu import GET_QEMU, Qemu, machine_of, qemu_version
from edgesparse.emulate.trace import Trace
from edgesparse.emulate.unicorn import GET_UNICORN, Unicorn, check_core, unicorn_version
from edgesparse.errors import SettingsError, ToolMissingError
from edgesparse.toolchain.elf import Elf

__all__ = [
    "EMULATORS",
    "Emulator",
    "MemoryProfile",
    "Profile",
    "Qemu",
    "Trace",
    "Unicorn",
    "choose_memory_profile",
    "default_emulator",
    "diagnose",
    "profile_slowest",
    "require",
]


class Emulator(Protocol):
    """Something that runs a firmware."""

    @property
    def name(self) -> str:
        """`unicorn` or `qemu`."""

    def run(
        self,
        elf: Elf,
        board: Board,
        *,
        timeout_s: float,
        layer_names: Sequence[str] = (),
        samples: npt.NDArray[Any] | None = None,
    ) -> Trace:
        """Run all vectors of a firmware built with the project's harness, or the samples [n, ...] in their place.

        samples: in the model's input dtype, streamed in while it runs.
        `layer_names` only serve messages. CrashError on a fault, an overrun, a timeout or unexpected output;
        ToolMissingError where the emulator is not installed.
        """


EMULATORS: dict[str, Emulator] = {"unicorn": Unicorn(), "qemu": Qemu()}


def diagnose() -> list[tuple[str, str | None, str]]:
    """(emulator, version or None where absent, how to get it)."""
    return [("unicorn", unicorn_version(), GET_UNICORN), ("qemu-system-arm", qemu_version(), GET_QEMU)]


def default_emulator(board: Board) -> str:
    """unicorn, but for cores that only QEMU models."""
    return "unicorn" if board.core.name in CPU_MODELS else "qemu"


def require(name: str, board: Board) -> None:
    """SettingsError unless the emulator `name` models the board; ToolMissingError where it is not installed."""
    if name == "unicorn":
        check_core(board)
    else:
        machine_of(board)
    for tool, (version, remedy) in {
        "unicorn": (unicorn_version(), GET_UNICORN),
        "qemu": (qemu_version(), GET_QEMU),
    }.items():
        if tool == name and version is None:
            raise ToolMissingError(f"emulator {name!r} is not installed; {remedy}")


def choose_memory_profile(name: str | None, board: Board) -> MemoryProfile | None:
    """The memory profile of a name, else the board's own; None where it has none.

    SettingsError for an unknown name, and for a profile of another core.
    """
    chosen = name if name is not None else board.memory_profile
    if chosen is None:
        return None
    profile = memory_profile(chosen)
    if profile.core != board.core.name:
        names = ", ".join(memory_profile_names(board.core.name)) or "none yet"
        raise SettingsError(
            f"memory profile {chosen!r} is of a {profile.core}, the board {board.name!r} has a {board.core.name}; "
            f"choose one of: {names}"
        )
    return profile


def profile_slowest(
    emulator: Emulator,
    elf: Elf,
    board: Board,
    trace: Trace,
    memory: MemoryProfile | None,
    *,
    timeout_s: float,
    layer_names: Sequence[str] = (),
) -> Profile | str:
    """Time the vector of a run that took most instructions; a reason where the emulator or this computer cannot."""
    if not isinstance(emulator, Unicorn):
        return f"{emulator.name} counts instructions only; --emulator unicorn times them"
    vector = max(range(len(trace.instructions)), key=lambda i: trace.instructions[i])
    try:
        return emulator.profile(elf, board, vector=vector, memory=memory, timeout_s=timeout_s, layer_names=layer_names)
    except ToolMissingError as error:
        return str(error)
