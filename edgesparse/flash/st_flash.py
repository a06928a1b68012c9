"""stlink-tools: st-flash programs, st-util prints what the firmware asks for by semihosting, gdb starts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board
from edgesparse.errors import EdgesparseError
from edgesparse.flash.gdb import GDB_NAMES, GET_GDB, gdb_command
from edgesparse.flash.prober import Command, ProbeOptions, Steps
from edgesparse.flash.tools import find_tool, no_probe, version_of
from edgesparse.toolchain.elf import Elf

__all__ = ["StFlash", "binary_image"]

GET_STLINK = "install stlink-tools (Debian: apt install stlink-tools)"
PORT = 4242
ERASED = b"\xff"


@dataclass(frozen=True)
class StFlash:
    """Needs no settings of a board: it asks the chip what it is."""

    name: str = "st-flash"

    def require(self, _board: Board) -> str:
        """See Prober."""
        find_tool(("st-util",), GET_STLINK)
        find_tool(GDB_NAMES, GET_GDB)
        return version_of(find_tool(("st-flash",), GET_STLINK))

    def steps(self, elf: Elf, _board: Board, options: ProbeOptions, folder: Path) -> Steps:
        """See Prober. st-flash takes plain bytes, not an ELF."""
        image = folder / "firmware.bin"
        address, data = binary_image(elf)
        serial = ("--serial", options.probe_id) if options.probe_id else ()
        flash, server = (find_tool((name,), GET_STLINK) for name in ("st-flash", "st-util"))
        return Steps(
            files={image: data},
            program=(Command((flash, *serial, "--reset", "write", str(image), f"{address:#x}")),),
            console=Command((server, *serial, "--semihosting", "-p", str(PORT))),
            start=gdb_command(elf, f"localhost:{PORT}", program=False),
        )

    def failure(self, output: str) -> EdgesparseError | None:
        """See Prober."""
        return no_probe("st-flash") if "Couldn't find any ST-Link" in output else None


def binary_image(elf: Elf) -> tuple[int, bytes]:
    """Address and bytes from the first that is programmed to the last, gaps as erased flash has them."""
    first = min(segment.address for segment in elf.segments)
    last = max(segment.address + len(segment.data) for segment in elf.segments)
    image = bytearray(ERASED * (last - first))
    for segment in elf.segments:
        image[segment.address - first : segment.address - first + len(segment.data)] = segment.data
    return first, bytes(image)
