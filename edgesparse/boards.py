"""Cores and boards: what the compiler, the emulator and the reports must know about a target."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgesparse.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CORES", "Board", "Core", "MemoryRegion", "board_names", "load_board", "templates_folder"]


@dataclass(frozen=True)
class Core:
    """A processor core.

    `has_dsp`: the SIMD instructions of Armv7E-M (SMLAD, SXTB16, ...), which Armv8-M may have too.
    `fpu`: the floating-point extension that code may use, single precision only, or None.
    """

    name: str
    has_dsp: bool
    architecture: Literal["armv6-m", "armv7-m", "armv8-m.main"]
    fpu: Literal["fpv4-sp", "fpv5-sp"] | None
    gcc_flags: tuple[str, ...]
    zig_target: str
    zig_cpu: str
    qemu_cpu: str


CORES: dict[str, Core] = {
    core.name: core
    for core in (
        Core(
            name="cortex-m0plus",
            has_dsp=False,
            architecture="armv6-m",
            fpu=None,
            gcc_flags=("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"),
            zig_target="thumb-freestanding-eabi",
            zig_cpu="cortex_m0plus",
            qemu_cpu="cortex-m0",
        ),
        Core(
            name="cortex-m3",
            has_dsp=False,
            architecture="armv7-m",
            fpu=None,
            gcc_flags=("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"),
            zig_target="thumb-freestanding-eabi",
            zig_cpu="cortex_m3",
            qemu_cpu="cortex-m3",
        ),
        Core(
            name="cortex-m4",
            has_dsp=True,
            architecture="armv7-m",
            fpu="fpv4-sp",
            gcc_flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m4+vfp4d16sp",
            qemu_cpu="cortex-m4",
        ),
        Core(
            name="cortex-m7",
            has_dsp=True,
            architecture="armv7-m",
            fpu="fpv5-sp",
            gcc_flags=("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m7+fp_armv8d16sp",
            qemu_cpu="cortex-m7",
        ),
        Core(
            name="cortex-m33",
            has_dsp=True,
            architecture="armv8-m.main",
            fpu="fpv5-sp",
            gcc_flags=("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
            zig_target="thumb-freestanding-eabihf",
            zig_cpu="cortex_m33+dsp+fp_armv8d16sp",
            qemu_cpu="cortex-m33",
        ),
    )
}


@dataclass(frozen=True)
class MemoryRegion:
    """A contiguous memory of the board, in bytes."""

    origin: int
    length: int


@dataclass(frozen=True)
class Board:
    """A board, from firmware_templates/boards/NAME/board.toml. Clocks in Hz.

    `clock_hz` is the clock that the start-up code leaves the part at; `max_clock_hz` the part's limit.
    `qemu_machine` is None for boards that QEMU does not model. `memory_profile`: a name of emulate/memories.toml, or
    None where the board's memory has no waits that are modelled.
    """

    name: str
    description: str
    core: Core
    clock_hz: int
    max_clock_hz: int
    flash: MemoryRegion
    ram: MemoryRegion
    qemu_machine: str | None
    folder: Path
    memory_profile: str | None = None


def templates_folder() -> Path:
    """The folder of firmware_templates: inside the installed package, else beside it in a checkout."""
    inside = Path(__file__).parent / "firmware_templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "firmware_templates"


def board_names() -> tuple[str, ...]:
    """Names of all boards, sorted."""
    return tuple(sorted(path.parent.name for path in templates_folder().glob("boards/*/board.toml")))


def load_board(name: str) -> Board:
    """Read one board; SettingsError for an unknown name or core."""
    folder = templates_folder() / "boards" / name
    names = board_names()
    if name not in names:
        raise SettingsError(f"board {name!r} is not known; choose one of: {', '.join(names)}")
    table = tomllib.loads((folder / "board.toml").read_text())
    core = table["core"]
    if core not in CORES:
        raise SettingsError(f"{folder / 'board.toml'}: core {core!r} is not known; choose one of: {', '.join(CORES)}")
    memory = table["memory"]
    return Board(
        name=name,
        description=table["description"],
        core=CORES[core],
        clock_hz=table["clock_hz"],
        max_clock_hz=table["max_clock_hz"],
        flash=MemoryRegion(memory["flash"]["origin"], memory["flash"]["length"]),
        ram=MemoryRegion(memory["ram"]["origin"], memory["ram"]["length"]),
        qemu_machine=table.get("qemu_machine"),
        folder=folder,
        memory_profile=table.get("memory_profile"),
    )
