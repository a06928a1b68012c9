"""OpenOCD: one run programs, starts the core and prints what the firmware asks for by semihosting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board
from edgesparse.errors import EdgesparseError, ToolMissingError
from edgesparse.flash.prober import Command, ProbeOptions, Steps, setting
from edgesparse.flash.tools import find_tool, last_words, no_probe, output_of, version_of
from edgesparse.toolchain.elf import Elf

__all__ = ["OpenOcd", "tcl_word"]

GET_OPENOCD = "install openocd 0.12 or later (Debian: apt install openocd)"
NO_PROBE = ("open failed", "unable to find a matching CMSIS-DAP device", "No J-Link device found", "no device found")


@dataclass(frozen=True)
class OpenOcd:
    """Settings of a board: `interface` and `target`, scripts of OpenOCD, and `transport` where it must be said."""

    name: str = "openocd"

    def require(self, board: Board) -> str:
        """See Prober."""
        path = self._path()
        version = version_of(path)
        command = (path, *self._configuration(board, ProbeOptions()), "-c", "shutdown")
        code, output, errors = output_of(command)
        if code != 0:
            raise ToolMissingError(
                f"openocd {version} does not take the scripts of board {board.name!r}: {last_words(output + errors)}; "
                f"{GET_OPENOCD}"
            )
        return version

    def steps(self, elf: Elf, board: Board, options: ProbeOptions, _folder: Path) -> Steps:
        """See Prober."""
        image = tcl_word(str(elf.path.absolute()))
        commands = (
            *("gdb_port disabled", "tcl_port disabled", "telnet_port disabled", "init", "reset init"),
            *(f"flash write_image erase {image}", f"verify_image {image}"),
            *("reset halt", "arm semihosting enable", "resume"),
        )
        arguments = [part for command in commands for part in ("-c", command)]
        return Steps(console=Command((self._path(), *self._configuration(board, options), *arguments)))

    def failure(self, output: str) -> EdgesparseError | None:
        """See Prober."""
        return no_probe("openocd") if any(words in output for words in NO_PROBE) else None

    def _configuration(self, board: Board, options: ProbeOptions) -> tuple[str, ...]:
        transport = board.probes.get(self.name, {}).get("transport")
        return (
            *("-f", setting(board, self.name, "interface")),
            *(("-c", f"transport select {transport}") if transport else ()),
            *(("-c", f"adapter serial {tcl_word(options.probe_id)}") if options.probe_id else ()),
            *("-f", setting(board, self.name, "target")),
        )

    def _path(self) -> str:
        return find_tool(("openocd",), GET_OPENOCD)


def tcl_word(text: str) -> str:
    """Text as one word of a Tcl command, whatever it holds: Tcl runs what stands in brackets."""
    return "".join(
        char if char.isalnum() or char in "/._-" else "\\n" if char == "\n" else f"\\{char}" for char in text
    )
