"""Program a board through a debug probe, and read what its harness prints."""

from __future__ import annotations

from edgesparse.boards import Board
from edgesparse.errors import SettingsError, ToolMissingError
from edgesparse.flash.gdb import GDB_NAMES, GET_GDB, Gdb
from edgesparse.flash.openocd import GET_OPENOCD, OpenOcd
from edgesparse.flash.prober import Command, ProbeOptions, Prober, Steps
from edgesparse.flash.pyocd import GET_PYOCD, PyOcd
from edgesparse.flash.session import console_of
from edgesparse.flash.st_flash import GET_STLINK, StFlash
from edgesparse.flash.tools import find_tool, version_of
from edgesparse.toolchain.elf import Elf

__all__ = [
    "PROBERS",
    "Command",
    "ProbeOptions",
    "Prober",
    "Steps",
    "check_elf",
    "choose_prober",
    "console_of",
    "diagnose",
]

PROBERS: dict[str, Prober] = {prober.name: prober for prober in (PyOcd(), OpenOcd(), StFlash(), Gdb())}


_TOOLS = (
    (("pyocd",), GET_PYOCD),
    (("openocd",), GET_OPENOCD),
    (("st-flash",), GET_STLINK),
    (GDB_NAMES, GET_GDB),
)


def diagnose() -> list[tuple[str, str | None, str]]:
    """(tool, version or None where absent, how to get it)."""
    rows: list[tuple[str, str | None, str]] = []
    for names, remedy in _TOOLS:
        try:
            version = version_of(find_tool(names, remedy))
        except ToolMissingError:
            version = None
        rows.append((names[0], version, remedy))
    return rows


def choose_prober(board: Board, options: ProbeOptions) -> Prober:
    """The prober that the options name, else gdb where a port is given, else the board's first.

    SettingsError for an unknown one, and for one that the board has no settings for.
    """
    known = (*board.probes, Gdb.name)
    name = options.probe or (Gdb.name if options.gdb_port else known[0])
    if name not in PROBERS:
        raise SettingsError(f"probe {name!r} is not known; choose one of: {', '.join(PROBERS)}")
    if name not in known:
        raise SettingsError(f"board {board.name!r} has no settings for {name}; choose one of: {', '.join(known)}")
    if options.gdb_port and name != Gdb.name:
        raise SettingsError(f"--gdb-port is for --probe gdb, not {name}")
    return PROBERS[name]


def check_elf(elf: Elf, board: Board) -> None:
    """SettingsError where a firmware is of another board: tools do not tell, or with the words of a missing probe."""
    first, last = board.flash.origin, board.flash.origin + board.flash.length
    for segment in elf.segments:
        if segment.address < first or segment.address + len(segment.data) > last:
            raise SettingsError(
                f"{elf.path}: {len(segment.data):,} bytes at {segment.address:#010x} lie outside of the flash of board "
                f"{board.name!r} ({first:#010x} to {last:#010x}); convert again with --board {board.name}"
            )
