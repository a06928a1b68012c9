"""What runs a model on the device: the project's own generated code, or the user's TFLite Micro.

Both projects of an output folder can be built for either: this builds one, runs it, and says what it takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgesparse import toolchain as toolchains
from edgesparse.boards import Board
from edgesparse.emulate import Emulator, Trace
from edgesparse.errors import BuildError, CrashError, RefusedError, SettingsError, ToolMissingError
from edgesparse.firmware import set_arena
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.report.assemble import sizes_of
from edgesparse.result import Sizes
from edgesparse.settings import Settings
from edgesparse.tflm import ARENA_ALIGNMENT, TFLM_DIR, TflmLibrary, find_library
from edgesparse.toolchain import Elf, Toolchain

__all__ = ["RUNTIMES", "RUN_TIMEOUT_S", "Aot", "Runtime", "Tflm", "find_toolchain"]

RUN_TIMEOUT_S = 600.0
_RESERVED_RAM_BYTES = 32 * 1024
"""What the largest arena leaves to the stack and to everything else."""
_MOST_STEPS = 64
_UNDEFINED = re.compile(r"undefined reference to `(tflite::[^']+)'")


class Runtime(Protocol):
    """Builds and runs a rendered project."""

    def build(self, project: Path, tools: Toolchain, board: Board) -> Elf:
        """The project's ELF; BuildError, or ToolMissingError where something that it links is missing."""

    def run(
        self, project: Path, tools: Toolchain, board: Board, emulator: Emulator, layer_names: Sequence[str]
    ) -> tuple[Elf, Trace]:
        """Build, and run all vectors; as Emulator.run."""

    def sizes(self, elf: Elf, memory: MemoryPlan, /) -> Sizes:
        """What a build takes. memory: the plan of generated code."""


@dataclass(frozen=True)
class Aot:
    """The generated C of the project."""

    def build(self, project: Path, tools: Toolchain, board: Board) -> Elf:
        """See Runtime."""
        return toolchains.build(project, tools, board.core, variables=("RUNTIME=aot",))

    def run(
        self, project: Path, tools: Toolchain, board: Board, emulator: Emulator, layer_names: Sequence[str]
    ) -> tuple[Elf, Trace]:
        """See Runtime."""
        elf = self.build(project, tools, board)
        return elf, emulator.run(elf, board, timeout_s=RUN_TIMEOUT_S, layer_names=layer_names)

    def sizes(self, elf: Elf, memory: MemoryPlan, /) -> Sizes:
        """See Runtime."""
        return sizes_of(elf, memory)


@dataclass(frozen=True)
class Tflm:
    """TFLite Micro's interpreter. `library`: None to find it when it is needed."""

    library: TflmLibrary | None = None

    def build(self, project: Path, tools: Toolchain, board: Board) -> Elf:
        """See Runtime."""
        library = self.library or find_library(board.core)
        try:
            return toolchains.build(
                project, tools, board.core, variables=library.make_arguments(), folder=f"{tools.name}-tflm"
            )
        except BuildError as error:
            missing = sorted(set(_UNDEFINED.findall(error.log)))
            if not missing:
                raise
            raise ToolMissingError(
                f"{TFLM_DIR}={library.root}: {library.library.name} has no {', '.join(missing)}; build the whole of "
                "TFLite Micro, of a version that has them"
            ) from error

    def run(
        self, project: Path, tools: Toolchain, board: Board, emulator: Emulator, layer_names: Sequence[str]
    ) -> tuple[Elf, Trace]:
        """See Runtime. Leaves the project with an arena of exactly the bytes that TFLite Micro needs."""

        def attempt() -> tuple[Elf, Trace]:
            elf = self.build(project, tools, board)
            return elf, emulator.run(elf, board, timeout_s=RUN_TIMEOUT_S, layer_names=layer_names)

        elf, trace = _first_fit(project, board, attempt)
        arena_bytes = trace.arena_needed_bytes
        if arena_bytes is None:
            return elf, trace
        for _ in range(_MOST_STEPS):
            set_arena(project, arena_bytes)
            try:
                return attempt()
            except RefusedError as error:
                if not error.arena:
                    raise
                arena_bytes += ARENA_ALIGNMENT  # it may need more while it prepares than afterwards
        raise CrashError(f"{project}: TFLite Micro takes no arena near the {arena_bytes} bytes that it says it uses")

    def sizes(self, elf: Elf, _memory: MemoryPlan, /) -> Sizes:
        """See Runtime. TFLite Micro plans its arena."""
        return sizes_of(elf, None)


RUNTIMES: dict[str, Runtime] = {"aot": Aot(), "tflm": Tflm()}


def find_toolchain(settings: Settings, board: Board) -> Toolchain:
    """The compiler that the settings name; ToolMissingError where it, or what the runtime links, is missing."""
    if settings.runtime != "tflm":
        return toolchains.find(settings.toolchain)
    if settings.toolchain == "zig":
        raise SettingsError("runtime 'tflm' needs --toolchain gcc: TFLite Micro's library is built with it")
    tools = toolchains.find("gcc")
    find_library(board.core)
    return tools


def _first_fit(project: Path, board: Board, attempt: Callable[[], tuple[Elf, Trace]]) -> tuple[Elf, Trace]:
    """A run with the arena that the project has, or with more until it is enough; as much as the RAM has at last."""
    most = (board.ram.length - _RESERVED_RAM_BYTES) // ARENA_ALIGNMENT * ARENA_ALIGNMENT
    while True:
        try:
            return attempt()
        except RefusedError as error:
            if not error.arena or error.got >= most:
                raise
            set_arena(project, min(2 * error.got, most))
