"""Plain gdb with a server that is already running: of a probe, or an emulator's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board
from edgesparse.errors import EdgesparseError, ToolMissingError
from edgesparse.flash.prober import Command, ProbeOptions, Steps
from edgesparse.flash.tools import find_tool, version_of
from edgesparse.toolchain.elf import Elf

__all__ = ["GDB_NAMES", "GET_GDB", "Gdb", "gdb_command"]

GET_GDB = "install gdb-multiarch (Debian: apt install gdb-multiarch)"
GDB_NAMES = ("gdb-multiarch", "arm-none-eabi-gdb")
DEFAULT_PORT = "localhost:3333"
THUMB_STATE = 0x01000000  # of xPSR
VTOR = 0xE000ED08

# For the servers of OpenOCD and of J-Link, so that gdb prints what the firmware asks for; others do so by themselves,
# or answer that they do not know the command, which gdb takes.
MONITOR = (
    *("reset halt", "arm semihosting enable", "arm semihosting_fileio enable"),
    *("semihosting enable", "semihosting IOClient 2"),
)


@dataclass(frozen=True)
class Gdb:
    """Needs no settings of a board; the server's words for a missing probe are the server's."""

    name: str = "gdb"

    def require(self, _board: Board) -> str:
        """See Prober."""
        return version_of(find_tool(GDB_NAMES, GET_GDB))

    def steps(self, elf: Elf, board: Board, options: ProbeOptions, _folder: Path) -> Steps:
        """See Prober."""
        return Steps(console=gdb_command(elf, options.gdb_port or DEFAULT_PORT, program=True, boot_rom=board.boot_rom))

    def failure(self, output: str) -> EdgesparseError | None:
        """See Prober."""
        words = ("Connection refused", "could not connect", "Connection timed out", "Name or service not known")
        if not any(text in output for text in words):
            return None
        return ToolMissingError(
            "no gdb server answers; start the probe's (or `qemu-system-arm -M MACHINE -S -gdb tcp::3333 "
            "-semihosting-config enable=on,target=gdb -display none`) and name it with --gdb-port host:port"
        )


def gdb_command(elf: Elf, port: str, *, program: bool, boot_rom: bool = False) -> Command:
    """Connect, program where asked, and run from the reset handler.

    Registers are set as a reset would: not every server can reset, and after programming an emulator's core would
    still be where it found an empty memory. boot_rom: reset, which then only the server can do, and run from there.
    """
    vectors = elf.symbol("__vectors").address
    by_hand = (
        f"set *(unsigned int *){VTOR:#x} = {vectors:#x}",
        f"set $xpsr = {THUMB_STATE:#x}",
        f"set $sp = *(unsigned int *){vectors:#x}",
        f"set $pc = {elf.entry & ~1:#x}",
    )
    commands = (
        *("set confirm off", "set pagination off", "set style enabled off", "set architecture arm"),
        f"target remote {port}",
        *(f"monitor {words}" for words in (MONITOR if program else ())),
        *(("load",) if program else ()),
        *(("monitor reset halt",) if boot_rom else by_hand),
        "continue",
    )
    arguments = [part for command in commands for part in ("-ex", command)]
    return Command((find_tool(GDB_NAMES, GET_GDB), "-nx", "-batch", *arguments, str(elf.path.absolute())))
