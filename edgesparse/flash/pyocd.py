"""pyocd: `load` programs, `run` resets and prints what the firmware asks for by semihosting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edgesparse.boards import Board
from edgesparse.errors import EdgesparseError, ToolMissingError
from edgesparse.flash.prober import Command, ProbeOptions, Steps, setting
from edgesparse.flash.tools import find_tool, no_probe, output_of, version_of
from edgesparse.toolchain.elf import Elf

__all__ = ["PyOcd"]

GET_PYOCD = "pip install pyocd"
SUBCOMMANDS = ("load", "run")


@dataclass(frozen=True)
class PyOcd:
    """Settings of a board: `target`, pyocd's name of the chip, and `pack`, the CMSIS pack that brings it, if any."""

    name: str = "pyocd"

    def require(self, board: Board) -> str:
        """See Prober."""
        path, target = self._path(), setting(board, self.name, "target")
        version = version_of(path)
        _, usage, _ = output_of((path, "--help"))
        missing = [word for word in SUBCOMMANDS if f"\n    {word} " not in usage]
        if missing:
            raise ToolMissingError(f"pyocd {version} has no subcommand {missing[0]!r}; {GET_PYOCD} --upgrade")
        code, output, errors = output_of((path, "json", "--targets", "--no-config"))
        try:
            known = {entry["name"] for entry in json.loads(output)["targets"]}
        except (KeyError, ValueError) as error:
            raise ToolMissingError(
                f"pyocd {version} does not list its targets (exit code {code}): {errors.strip()[:200]}; {GET_PYOCD}"
            ) from error
        if target not in known:
            # Without a probe pyocd fails with the same words for a target that it does not know.
            raise ToolMissingError(
                f"pyocd {version} does not know the target {target!r} of board {board.name!r}; "
                f"run `pyocd pack update` and `pyocd pack install {target}`, or choose another --probe"
            )
        return version

    def steps(self, elf: Elf, board: Board, options: ProbeOptions, _folder: Path) -> Steps:
        """See Prober."""
        # -W: without a probe fail at once instead of waiting for one.
        serial = ("-u", options.probe_id) if options.probe_id else ()
        common = ("--no-config", "-W", "-t", setting(board, self.name, "target"), *serial)
        return Steps(
            program=(Command((self._path(), "load", *common, str(elf.path.absolute()))),),
            console=Command((self._path(), "run", *common, "-O", "stdio_mode=console")),
        )

    def failure(self, output: str) -> EdgesparseError | None:
        """See Prober."""
        words = ("No connected debug probes", "No target device available", "No probe selected")
        return no_probe("pyocd") if any(text in output for text in words) else None

    def _path(self) -> str:
        return find_tool(("pyocd",), GET_PYOCD)
