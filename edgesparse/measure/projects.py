"""From two int8 networks to their builds, and from a build to its firmware project."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import edgesparse
from edgesparse.firmware import describe, render, render_tflm
from edgesparse.firmware.build import Build, Twins, write_build
from edgesparse.firmware.plan import Plan
from edgesparse.firmware.room import Contents, room_for
from edgesparse.measure.setup import Setup
from edgesparse.network import Network
from edgesparse.oracle import reference_outputs
from edgesparse.record import AnyArray
from edgesparse.system.processes import Scope
from edgesparse.tflm import TflmModel, estimate_arena_bytes, tflm_model

__all__ = ["compiling", "make_build", "projects_to_build", "write_project"]


def make_build(name: str, network: Network, plan: Plan, vectors: AnyArray, setup: Setup, *, model_name: str) -> Build:
    """A build for the board, or for one with more memory where that is the dense twin's only way.

    name: firmware or dense. vectors: float inputs [n, ...], or inputs in the model's dtype. DoesNotFitError where the
    firmware does not fit.
    """
    settings = setup.settings
    contents = Contents(
        network.graph, plan.packed, plan.memory, len(vectors), weights_in_ram=settings.weights == "sram"
    )
    board = room_for(contents, setup.board, build=name, grows=settings.emulator == "unicorn")
    inputs = network.quantized(vectors)
    return Build(
        name=name,
        model_name=model_name,
        network=network,
        board=board,
        runtime=settings.runtime,
        weights=settings.weights,
        plan=plan,
        inputs=inputs,
        reference=reference_outputs(network.data, inputs),
    )


def write_project(build: Build, folder: Path) -> TflmModel:
    """Write the project of a build and the build itself into an output folder; the model that TFLite Micro runs."""
    tool = f"edgesparse {edgesparse.__version__}"
    view = describe(
        build.network.graph,
        build.packed,
        build.memory,
        build.inputs,
        build.reference.outputs,
        name=build.model_name,
        tool=tool,
        source_sha256=build.sha256,
        runtime=build.runtime,
        weights=build.weights,
    )
    render(view, build.board, folder / build.name)
    micro = tflm_model(build.network.data, build.network.graph, build.packed)
    render_tflm(
        micro,
        build.board,
        folder / build.name,
        arena_bytes=estimate_arena_bytes(build.network.graph, build.packed, micro),
        tool=tool,
        source_sha256=build.sha256,
    )
    write_build(build, folder)
    return micro


@contextmanager
def compiling(folder: Path, twins: Twins, setup: Setup) -> Iterator[None]:
    """Compile the projects of an output folder while the body does something else.

    For speed alone: measure builds them too, finds it done, and tells what failed.
    """
    scope = Scope()
    with ThreadPoolExecutor(1, thread_name_prefix="make") as pool:
        try:
            if setup.settings.runtime == "aot":
                for build in projects_to_build(folder, twins):
                    pool.submit(scope.run, setup.runtime.build, folder / build.name, setup.tools, build.board)
            yield
        except BaseException:  # an interrupt or a failure: nobody wants what is compiled
            scope.stop()
            raise


def projects_to_build(folder: Path, twins: Twins) -> tuple[Build, ...]:
    """Both; the sparse one alone where both projects are the same files, as where no sparse format pays."""
    sparse, dense = (folder / build.name for build in twins)
    files = _files(sparse)
    if files != _files(dense) or twins.sparse.board != twins.dense.board:
        return tuple(twins)
    same = not any(filecmp.cmpfiles(sparse, dense, files, shallow=False)[1:])
    return (twins.sparse,) if same else tuple(twins)


def _files(project: Path) -> list[str]:
    """What a project is built from, relative to it: the int8 file in the dense twin's folder is not."""
    built, model = project / "build", project / "model.int8.tflite"
    files = (path for path in project.rglob("*") if path.is_file() and built not in path.parents and path != model)
    return sorted(str(path.relative_to(project)) for path in files)
