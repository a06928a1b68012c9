"""Run builds in the emulator and compare them with the reference."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgesparse.emulate import Profile, Trace, profile_slowest
from edgesparse.errors import DoesNotFitError, InputError, MismatchError
from edgesparse.firmware.build import Build, Twins
from edgesparse.firmware.room import check_fits, explain_overflow
from edgesparse.measure.baseline import dense_as_baseline, measure_baseline
from edgesparse.measure.projects import projects_to_build
from edgesparse.measure.runtimes import RUN_TIMEOUT_S
from edgesparse.measure.setup import Setup
from edgesparse.missing import Missing
from edgesparse.record import AnyArray
from edgesparse.report.assemble import figures_of
from edgesparse.report.timing import memory_of
from edgesparse.result import Baseline, BitExact, BuildFigures, CodeProfile
from edgesparse.toolchain import Elf

__all__ = ["Measured", "Run", "check_equal", "check_inputs", "measure"]


@dataclass(frozen=True, eq=False)
class Run:
    """One build that ran, with the outputs that it must have. `profile`: where it was asked for."""

    build: Build
    elf: Elf
    trace: Trace
    figures: BuildFigures
    profile: Profile | str

    @property
    def code_profile(self) -> CodeProfile | Missing:
        """Where its slowest vector spends its cycles."""
        if isinstance(self.profile, str):
            return Missing(self.profile)
        return self.profile.figures([layer.macs for layer in self.build.network.stats.layers])


@dataclass(frozen=True, eq=False)
class Measured:
    """Both builds, and what the dense one takes on the user's TFLite Micro."""

    sparse: Run
    dense: Run
    baseline: Baseline | Missing

    @property
    def bit_exact(self) -> BitExact:
        """True of both: a run with other outputs is a MismatchError."""
        build = self.sparse.build
        return BitExact(ok=True, vectors=len(build.inputs), reference=build.reference.reference)


def measure(folder: Path, twins: Twins, setup: Setup, *, profile: bool = False) -> Measured:
    """Build and run the two projects of an output folder. profile: say where their cycles go.

    MismatchError where outputs differ from the reference's, CrashError as the emulator raises it.
    """
    sparse = _run(folder / twins.sparse.name, twins.sparse, setup, profile=profile)
    if setup.settings.runtime == "aot" and twins.dense not in projects_to_build(folder, twins):
        dense = _the_same(folder, sparse, twins.dense)
    else:
        dense = _run(folder / twins.dense.name, twins.dense, setup, profile=profile)
    if setup.settings.runtime == "tflm":
        return Measured(sparse, dense, dense_as_baseline(dense.build, dense.figures, setup))
    return Measured(sparse, dense, measure_baseline(folder / twins.dense.name, twins.dense, setup))


def _run(project: Path, build: Build, setup: Setup, *, profile: bool) -> Run:
    setup.say(f"building {build.name} and running it on {build.board.name} ({setup.settings.emulator})")
    check_fits(build.contents, build.board, build=build.name)
    try:
        elf, trace = setup.runtime.run(project, setup.tools, build.board, setup.emulator, build.layer_names)
    except DoesNotFitError as error:
        raise explain_overflow(error, build.contents, build.board, build=build.name) from error
    check_inputs(elf, build)
    check_equal(trace.outputs, build.reference.outputs, build.reference.reference, build.name)
    if trace.selftest is not None and not trace.selftest.outputs_ok:
        raise MismatchError(f"{build.name}: its self-test fails although its outputs are right; convert again")
    timed: Profile | str = ""
    if profile or setup.memory_profile is not None:
        setup.say(f"timing {build.name}")
        timed = profile_slowest(
            setup.emulator,
            elf,
            build.board,
            trace,
            setup.memory_profile,
            timeout_s=RUN_TIMEOUT_S,
            layer_names=build.layer_names,
        )
    memory = memory_of(timed, setup.memory_profile, setup.board)
    figures = figures_of(setup.runtime.sizes(elf, build.memory), trace, setup.board, memory)
    return Run(build, elf, trace, figures, timed)


def _the_same(folder: Path, run: Run, twin: Build) -> Run:
    """The run of a project with the same files: it is built by copying, and nothing in it would run otherwise."""
    built = folder / twin.name / "build"
    shutil.rmtree(built, ignore_errors=True)
    shutil.copytree(folder / run.build.name / "build", built)
    return replace(run, build=twin)


def check_inputs(elf: Elf, build: Build) -> None:
    """InputError unless the image holds the test inputs that the reference ran."""
    if elf.read(elf.symbol("vectors_inputs")) != np.ascontiguousarray(build.inputs).tobytes():
        raise InputError(
            f"{build.name}: its test inputs are not those that the reference ran; run edgesparse convert again"
        )


def check_equal(
    outputs: Sequence[bytes], expected: AnyArray, reference: str, project: str, *, what: str = "input"
) -> None:
    """MismatchError, which names the first input, unless the device's outputs are the reference's, byte for byte."""
    if len(outputs) != len(expected):
        raise MismatchError(f"{project}: {len(outputs)} outputs from the device, expected {len(expected)}")
    for index, (ours, theirs) in enumerate(zip(outputs, expected, strict=True)):
        wanted = np.ascontiguousarray(theirs).tobytes()
        if ours != wanted:
            differing = [i for i, (a, b) in enumerate(zip(ours, wanted, strict=True)) if a != b]
            first = differing[0]
            raise MismatchError(
                f"{project}: output of {what} {index} differs from {reference} in {len(differing)} of "
                f"{len(wanted)} bytes, first at byte {first}: expected {wanted[first]}, got {ours[first]}; "
                "please report this"
            )
