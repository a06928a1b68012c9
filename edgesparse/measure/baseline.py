"""`baseline` of report.json: the dense network on the user's TFLite Micro, which is what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesparse import toolchain as toolchains
from edgesparse.boards import Board
from edgesparse.emulate import Emulator
from edgesparse.errors import BuildError, CrashError, ToolMissingError
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.measure.runtimes import Tflm
from edgesparse.missing import unavailable
from edgesparse.oracle import OracleRun
from edgesparse.report import assemble
from edgesparse.tflm import TflmLibrary, find_library
from edgesparse.toolchain import Toolchain

__all__ = ["dense_as_baseline", "measure_baseline"]


def measure_baseline(
    project: Path,
    board: Board,
    emulator: Emulator,
    layer_names: Sequence[str],
    memory: MemoryPlan,
    oracle: OracleRun,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Build and run the dense twin on TFLite Micro; or the reason why there is nothing to build it with."""
    try:
        library, tools = find_library(board.core), toolchains.find("gcc")
        say(f"building {project.name} on {library.description} and running it")
        runtime = Tflm(library)
        elf, trace = runtime.run(project, tools, board, emulator, layer_names)
    except (ToolMissingError, BuildError, CrashError) as error:
        return unavailable(str(error))
    sizes = runtime.build_part(elf, memory)
    expected = tuple(np.ascontiguousarray(output).tobytes() for output in oracle.outputs)
    return _part(library, tools, sizes | assemble.run_part(sizes, trace, board), oracle, trace.outputs == expected)


def dense_as_baseline(dense: Mapping[str, Any], board: Board, tools: Toolchain, oracle: OracleRun) -> dict[str, Any]:
    """The same where the dense twin itself runs on TFLite Micro and gave the reference's outputs."""
    return _part(find_library(board.core), tools, dense, oracle, True)


def _part(
    library: TflmLibrary, tools: Toolchain, figures: Mapping[str, Any], oracle: OracleRun, equal: bool
) -> dict[str, Any]:
    return {
        "runtime": f"{library.description}, {tools.version()}",
        "library_sha256": library.sha256,
        **figures,
        "bit_exact": {"ok": equal, "vectors": len(oracle.outputs), "reference": oracle.reference},
    }
