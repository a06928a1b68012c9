"""Boards, and the cores that they have: what the compiler, the emulator and the reports must know about a target."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgesparse.arch.arm_m.cores import CORES, Core
from edgesparse.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CORES", "Board", "Core", "MemoryRegion", "board_names", "load_board", "templates_folder"]


@dataclass(frozen=True)
class MemoryRegion:
    """A contiguous memory of the board, in bytes."""

    origin: int
    length: int


@dataclass(frozen=True)
class Board:
    """A board, from firmware_templates/boards/NAME/board.toml. Clocks in Hz.

    `clock_hz` is the clock that the start-up code leaves the part at; `max_clock_hz` the part's limit, at which its
    flash needs `flash_wait_states`. `stack_bytes`: reserved at the bottom of RAM.
    `qemu_machine` is None for boards that QEMU does not model. `memory_profile`: a name of
    arch/arm_m/timing/memories.toml, or None where the board's memory has no waits that are modelled.
    `counter`: the header of firmware_templates/arch/arm_m/counters that counts core clocks. `registers`: what the
    start-up code writes outside of the core; an emulator needs memory there. `emulated`: there is no such board to
    program.
    `boot_rom`: code in ROM must run before the firmware, so a debugger resets instead of starting the firmware itself.
    `verified`: False where the board is data from its manuals only, see docs/boards.md; reports warn of that.
    `probes`: how to program it, by the name of the tool; the first is the default. docs/boards.md has their keys.
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
    flash_wait_states: int = 0
    stack_bytes: int = 16 * 1024
    counter: str = "systick"
    registers: tuple[MemoryRegion, ...] = ()
    emulated: bool = False
    boot_rom: bool = False
    verified: bool = True
    probes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


PAGE_BYTES = 4096
"""Emulators map memory in pages; vector tables want less."""

_T = TypeVar("_T")
_KINDS: dict[type, str] = {int: "a whole number", str: "a text", bool: "true or false", dict: "a table", list: "a list"}
_KEYS = frozenset(
    "description core clock_hz max_clock_hz flash_wait_states memory_profile memory stack_bytes counter registers"
    " emulated boot_rom verified probes qemu_machine".split()
)


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
    path = folder / "board.toml"
    try:
        return _board(name, folder, tomllib.loads(path.read_text(encoding="utf-8")))
    except KeyError as error:
        raise SettingsError(f"{path}: {error.args[0]!r} is missing; docs/boards.md lists what a board needs") from error
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise SettingsError(f"{path}: {error}; docs/boards.md lists what a board needs") from error


def _board(name: str, folder: Path, table: dict[str, Any]) -> Board:
    _only(table, _KEYS, "")
    core, memory = _value(table, "core", str), _value(table, "memory", dict)
    if core not in CORES:
        raise ValueError(f"core {core!r} is not known; choose one of: {', '.join(CORES)}")
    _only(memory, {"flash", "ram"}, "memory.")
    counter = _value(table, "counter", str, "systick")
    counters = sorted(path.stem for path in templates_folder().glob("arch/arm_m/counters/*.h"))
    if counter not in counters:
        raise ValueError(f"counter {counter!r} is not known; choose one of: {', '.join(counters)}")
    board = Board(
        name=name,
        description=_value(table, "description", str),
        core=CORES[core],
        clock_hz=_value(table, "clock_hz", int),
        max_clock_hz=_value(table, "max_clock_hz", int),
        flash=_region(_value(memory, "flash", dict), "memory.flash."),
        ram=_region(_value(memory, "ram", dict), "memory.ram."),
        qemu_machine=_value(table, "qemu_machine", str, "") or None,
        folder=folder,
        memory_profile=_value(table, "memory_profile", str, "") or None,
        flash_wait_states=_value(table, "flash_wait_states", int, 0),
        stack_bytes=_value(table, "stack_bytes", int, 16 * 1024),
        counter=counter,
        registers=tuple(_region(region, "registers.") for region in _value(table, "registers", list, [])),
        emulated=_value(table, "emulated", bool, False),
        boot_rom=_value(table, "boot_rom", bool, False),
        verified=_value(table, "verified", bool, True),
        probes=_value(table, "probes", dict, {}),
    )
    if not 0 < board.clock_hz <= board.max_clock_hz:
        raise ValueError(f"clock_hz {board.clock_hz:,} is not between 1 and max_clock_hz {board.max_clock_hz:,}")
    return board


def _value(table: Mapping[str, Any], key: str, kind: type[_T], default: _T | None = None) -> _T:
    """A value of the type; KeyError where there is neither it nor a default."""
    value = table[key] if default is None else table.get(key, default)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{key} must be {_KINDS[kind]}, got {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{key} must not be negative, got {value}")
    return value


def _only(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        names = ", ".join(f"{where}{name}" for name in unknown)
        raise ValueError(f"{names} is not known; known: {', '.join(sorted(known))}")


def _region(table: Mapping[str, Any], where: str) -> MemoryRegion:
    _only(table, {"origin", "length"}, where)
    region = MemoryRegion(_value(table, "origin", int), _value(table, "length", int))
    if region.origin % PAGE_BYTES or not region.length:
        raise ValueError(
            f"{where}origin must be a multiple of {PAGE_BYTES:,} and {where}length above 0, "
            f"got {region.origin:#x} and {region.length:,}"
        )
    return region
