"""What a run is made for and with: settings, board, compiler, emulator; all checked before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgesparse.boards import Board, load_board
from edgesparse.emulate import (
    EMULATORS,
    Emulator,
    MemoryProfile,
    choose_memory_profile,
    default_emulator,
    require,
)
from edgesparse.measure.runtimes import RUNTIMES, Runtime, find_toolchain
from edgesparse.progress import Progress, silent
from edgesparse.settings import Settings
from edgesparse.toolchain import Toolchain

__all__ = ["Setup", "choose_settings", "set_up"]


@dataclass(frozen=True, eq=False)
class Setup:
    """Of one command. `say` takes a line of progress."""

    settings: Settings
    board: Board
    tools: Toolchain
    say: Progress

    @property
    def runtime(self) -> Runtime:
        """What builds and runs the projects."""
        return RUNTIMES[self.settings.runtime]

    @property
    def emulator(self) -> Emulator:
        """What stands for the board."""
        return EMULATORS[self.settings.emulator]

    @property
    def memory_profile(self) -> MemoryProfile | None:
        """The memories whose waits are estimated too."""
        return choose_memory_profile(self.settings.memory_profile, self.board)


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """All settings: those given, the defaults, and the board's own emulator where none is given."""
    named = {"board": given["board"]} if "board" in given else {}
    board = load_board(Settings().updated(named).board)
    return Settings().updated({"emulator": default_emulator(board), **given})


def set_up(settings: Settings, progress: Progress | None, *, emulates: bool = True) -> Setup:
    """Find board and tools. SettingsError for what does not go together, ToolMissingError for what is not installed.

    emulates: whether an emulator will be used.
    """
    board = load_board(settings.board)
    setup = Setup(settings, board, find_toolchain(settings, board), progress or silent)
    if emulates:
        choose_memory_profile(settings.memory_profile, board)
        require(settings.emulator, board)
    return setup
