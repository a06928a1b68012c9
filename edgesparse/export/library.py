"""The firmware of a convert folder, as all that an export needs to know of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edgesparse
from edgesparse.boards import CORES, Core
from edgesparse.errors import InputError, OutputError, SettingsError
from edgesparse.firmware import TensorView, tensor_view
from edgesparse.firmware.build import read_twins
from edgesparse.missing import Missing
from edgesparse.output import REPORT_NAME
from edgesparse.report.stored import read_report
from edgesparse.result import Source
from edgesparse.variants import VARIANTS, Variant

__all__ = ["KERNEL_NAMES", "Library", "read_library"]

KERNEL_NAMES = "es_names.h"
"""The header that names the kernels of one library apart from those of others; es_types.h includes it."""

_MODEL_FILES = ("{}.h", "{}.c", "{}_weights.c", "{}_weights.h")
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
_KERNEL = re.compile(r"^(?!static\b)[a-z][\w ]*[ *](es_\w+)\([^;{]*\)\s*\{", re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """The AOT firmware without its harness and start-up code.

    `name` is a lower-case C identifier that is valid in every ecosystem; `model`, another one, begins the model's C
    names. `stack_bytes` is None where it was not measured. `sources` and `headers` have distinct file names; a file
    includes others by bare name only. `public_headers`: names of those that a user's code includes through the umbrella
    header. `kernels`: C functions of the kernels that the linker sees, all of which begin with `es_`.
    """

    name: str
    model: str
    version: str
    tool: str
    source: Source
    board: str
    core: Core
    input: TensorView
    output: TensorView
    macs: int
    sparsity: float
    code_bytes: int
    weight_bytes: int
    table_bytes: int
    arena_bytes: int
    stack_bytes: int | None
    sources: tuple[Path, ...]
    headers: tuple[Path, ...]
    public_headers: tuple[str, ...]
    kernels: tuple[str, ...]

    @property
    def source_sha256(self) -> str:
        """Of the model file."""
        return self.source.sha256

    @property
    def variant(self) -> Variant:
        """The fastest kernels of its core: what other cores must be able to run."""
        return VARIANTS[self.core.kernels[0]]

    @property
    def description(self) -> str:
        """One sentence, ASCII."""
        return (
            f"int8 neural network {self.model} with {self.sparsity:.1%} of its prunable weights zero, "
            f"{self.macs} MACs, {self.arena_bytes} bytes of RAM"
        )


def read_library(folder: Path) -> Library:
    """Read what convert or firmware wrote into `folder`.

    OutputError where it is no such folder, SettingsError for another runtime than aot, InputError where files are
    missing or come from a version that described less.
    """
    report = read_report(folder)
    runtime = report.settings.runtime
    if runtime != "aot":
        raise SettingsError(f"{folder}: has runtime {runtime!r}, export takes 'aot'; convert again with --runtime aot")
    core = CORES.get(report.board.core)
    if core is None:
        raise OutputError(
            f"{folder / REPORT_NAME}: damaged: board.core: no core is called {report.board.core!r}; "
            "run edgesparse convert again"
        )
    project = folder / "firmware"
    build, sparse = read_twins(folder).sparse, report.sparse
    sources, headers, public = _closure(project, build.model_name)
    return Library(
        name=f"edgesparse_{build.model_name}",
        model=build.model_name,
        version=_semantic_version(edgesparse.__version__),
        tool=f"edgesparse {report.edgesparse}",
        source=report.source,
        board=report.board.name,
        core=core,
        input=tensor_view(build.network.input),
        output=tensor_view(build.network.output),
        macs=report.model.macs,
        sparsity=report.model.sparsity,
        code_bytes=sparse.code_bytes,
        weight_bytes=sparse.weight_bytes,
        table_bytes=sparse.table_bytes,
        arena_bytes=sparse.arena_bytes,
        stack_bytes=None if isinstance(sparse.stack_bytes, Missing) else sparse.stack_bytes,
        sources=sources,
        headers=headers,
        public_headers=public,
        kernels=_kernels(sources),
    )


def _closure(project: Path, model: str) -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[str, ...]]:
    """The C files of model and kernels, the headers that they reach, and names of those that the model's own reaches.

    The test vectors are the harness's. memcpy and its kin in runtime/ stay behind: a library's user has a libc.
    """
    files = [project / "model" / name.format(model) for name in _MODEL_FILES]
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file; run edgesparse convert again")
    sources = [path for path in files if path.suffix == ".c"]
    sources += sorted((project / "kernels").glob("*.c"))
    headers: dict[str, Path] = {}
    for source in sources:
        _reach(project, source, headers)
    public: dict[str, Path] = {}
    _reach(project, files[0], public)
    return tuple(sources), tuple(headers[name] for name in sorted(headers)), (files[0].name, *sorted(public))


def _kernels(sources: Sequence[Path]) -> tuple[str, ...]:
    return tuple(sorted({name for path in sources for name in _KERNEL.findall(path.read_text(encoding="utf-8"))}))


def _reach(project: Path, path: Path, found: dict[str, Path]) -> None:
    """Add the headers that a file includes, and what these include."""
    for name in _INCLUDE.findall(path.read_text(encoding="utf-8")):
        if name in found or name == KERNEL_NAMES:
            continue
        places = [folder / name for folder in (project / "model", project / "kernels" / "include")]
        header = next((place for place in places if place.is_file()), None)
        if header is None:
            raise InputError(f"{path}: includes {name!r}, which is not in the project; run edgesparse convert again")
        found[name] = header
        _reach(project, header, found)


def _semantic_version(version: str) -> str:
    """MAJOR.MINOR.PATCH of a Python version such as 0.2.dev3+g12ab."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = match[0].split(".") if match else []
    return ".".join((*numbers, "0", "0", "0")[:3])
