"""The dense network on the user's TFLite Micro, which is what a report compares with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgesparse import toolchain as toolchains
from edgesparse.errors import BuildError, CrashError, ToolMissingError
from edgesparse.firmware.build import Build
from edgesparse.measure.runtimes import Tflm
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.report.assemble import baseline_of, figures_of
from edgesparse.result import Baseline, BitExact, BuildFigures
from edgesparse.tflm import TflmLibrary, find_library
from edgesparse.toolchain import Toolchain

__all__ = ["dense_as_baseline", "measure_baseline"]


def measure_baseline(project: Path, build: Build, setup: Setup) -> Baseline | Missing:
    """Build and run the dense twin on TFLite Micro; or the reason why there is nothing to build it with."""
    try:
        library, tools = find_library(build.board.core), toolchains.find("gcc")
        setup.say(f"building {build.name} on {library.description} and running it")
        runtime = Tflm(library)
        elf, trace = runtime.run(project, tools, build.board, setup.emulator, build.layer_names)
    except (ToolMissingError, BuildError, CrashError) as error:
        return Missing(str(error))
    figures = figures_of(runtime.sizes(elf, build.memory), trace, build.board, Missing("not timed"))
    expected = tuple(np.ascontiguousarray(output).tobytes() for output in build.reference.outputs)
    return _baseline(library, tools, figures, build, trace.outputs == expected)


def dense_as_baseline(build: Build, figures: BuildFigures, setup: Setup) -> Baseline:
    """The same where the dense twin itself ran on TFLite Micro and gave the reference's outputs."""
    return _baseline(find_library(build.board.core), setup.tools, figures, build, True)


def _baseline(library: TflmLibrary, tools: Toolchain, figures: BuildFigures, build: Build, equal: bool) -> Baseline:
    return baseline_of(
        figures,
        runtime=f"{library.description}, {tools.version()}",
        library_sha256=library.sha256,
        bit_exact=BitExact(ok=equal, vectors=len(build.inputs), reference=build.reference.reference),
        memory=None if isinstance(figures.memory, Missing) else figures.memory,
    )
