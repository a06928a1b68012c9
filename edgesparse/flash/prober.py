"""What every way of programming a board has in common."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgesparse.boards import Board
from edgesparse.errors import EdgesparseError, SettingsError
from edgesparse.toolchain.elf import Elf

__all__ = ["Command", "ProbeOptions", "Prober", "Steps", "setting"]


@dataclass(frozen=True)
class ProbeOptions:
    """`probe`: a name of PROBERS, None for the board's first. `probe_id`: serial number of one of several probes.

    `gdb_port`: host:port of a running gdb server.
    """

    probe: str | None = None
    probe_id: str | None = None
    gdb_port: str | None = None

    def __post_init__(self) -> None:
        host, colon, port = (self.gdb_port or "localhost:3333").rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536 or " " in host:
            raise SettingsError(f"gdb-port: expected host:port, such as localhost:3333, got {self.gdb_port!r}")


@dataclass(frozen=True)
class Command:
    """A program with its arguments."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.arguments)


@dataclass(frozen=True)
class Steps:
    """How to program a board and hear its harness.

    `files`: written first. `program`: run one after the other, each to its end. `console`: started last but for
    `start`, and read until the harness is done. `start`: what makes the core run, where `console` only listens.
    """

    console: Command
    program: tuple[Command, ...] = ()
    start: Command | None = None
    files: Mapping[Path, bytes] | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """All of them in order."""
        return (*self.program, self.console, *((self.start,) if self.start is not None else ()))


class Prober(Protocol):
    """A tool that programs boards."""

    @property
    def name(self) -> str:
        """As in board.toml and after --probe."""

    def require(self, board: Board, /) -> str:
        """The tool's version. ToolMissingError, with the way to get it, where the tool or its knowledge of the board's
        chip is missing.
        """

    def steps(self, elf: Elf, board: Board, options: ProbeOptions, folder: Path, /) -> Steps:
        """What to run. folder: for files that the tool needs."""

    def failure(self, output: str) -> EdgesparseError | None:
        """What the output of a command that failed says in words that help, where it is known."""


def setting(board: Board, probe: str, name: str) -> str:
    """One of a board's settings for a prober; SettingsError where it is missing."""
    value = board.probes.get(probe, {}).get(name)
    if value is None:
        raise SettingsError(
            f"{board.folder / 'board.toml'}: probes.{probe} needs {name!r}; docs/boards.md says what it is"
        )
    return value
