"""The firmware of a convert folder, as all that an export needs to know of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import edgesparse
from edgesparse.boards import CORES, Core
from edgesparse.errors import InputError, ModelError, OutputError, SettingsError
from edgesparse.firmware import TensorView, tensor_view
from edgesparse.missing import Missing
from edgesparse.output import REPORT_NAME
from edgesparse.report.stored import read_report
from edgesparse.tflite import read_graph

__all__ = ["Library", "read_library"]

_LONGEST_MODEL_NAME = 32  # Csub of a CMSIS-Pack; the other formats allow more
_MODEL_FILES = ("model.c", "model.h", "weights.c", "weights.h")
_INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Library:
    """The AOT firmware without its harness and start-up code.

    `name` is a lower-case C identifier that is valid in every ecosystem. `stack_bytes` is None where it was not
    measured. `sources` and `headers` have distinct file names; a file includes others by bare name only.
    `public_headers`: names of those that a user's code includes through the umbrella header.
    """

    name: str
    model: str
    version: str
    tool: str
    source_sha256: str
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
    missing = [name for name in _MODEL_FILES if not (project / "model" / name).is_file()]
    if missing:
        raise InputError(f"{project / 'model' / missing[0]}: no such file; run edgesparse convert again")
    if "MODEL_INPUT_VALUES" not in (project / "model" / "model.h").read_text(encoding="utf-8"):
        raise InputError(
            f"{project / 'model' / 'model.h'}: does not say the input's shape and scale (written by edgesparse "
            f"{report.edgesparse}); run edgesparse convert again"
        )
    sources, headers, public = _closure(project)
    path = folder / "model.int8.tflite"
    try:
        graph = read_graph(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; run edgesparse convert again") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    sparse, model = report.sparse, _slug(report.source.path)
    return Library(
        name=f"edgesparse_{model}",
        model=model,
        version=_semantic_version(edgesparse.__version__),
        tool=f"edgesparse {report.edgesparse}",
        source_sha256=report.source.sha256,
        board=report.board.name,
        core=core,
        input=tensor_view(graph.tensors[graph.inputs[0]]),
        output=tensor_view(graph.tensors[graph.outputs[0]]),
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
    )


def _closure(project: Path) -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[str, ...]]:
    """The C files of model and kernels, the headers that they reach, and names of those that model.h reaches.

    The test vectors are the harness's. memcpy and its kin in runtime/ stay behind: a library's user has a libc.
    """
    sources = [project / "model" / name for name in _MODEL_FILES if name.endswith(".c")]
    sources += sorted((project / "kernels").glob("*.c"))
    headers: dict[str, Path] = {}
    for source in sources:
        _reach(project, source, headers)
    public: dict[str, Path] = {}
    _reach(project, project / "model" / "model.h", public)
    return tuple(sources), tuple(headers[name] for name in sorted(headers)), ("model.h", *sorted(public))


def _reach(project: Path, path: Path, found: dict[str, Path]) -> None:
    """Add the headers that a file includes, and what these include."""
    for name in _INCLUDE.findall(path.read_text(encoding="utf-8")):
        if name in found:
            continue
        places = [folder / name for folder in (project / "model", project / "kernels" / "include")]
        header = next((place for place in places if place.is_file()), None)
        if header is None:
            raise InputError(f"{path}: includes {name!r}, which is not in the project; run edgesparse convert again")
        found[name] = header
        _reach(project, header, found)


def _slug(path: str) -> str:
    """The model's name: lower-case letters, digits and single underscores, 1 to 32 of them."""
    name = re.sub(r"[^0-9a-z]+", "_", Path(path).stem.lower()).strip("_")
    return name[:_LONGEST_MODEL_NAME].rstrip("_") or "model"


def _semantic_version(version: str) -> str:
    """MAJOR.MINOR.PATCH of a Python version such as 0.2.dev3+g12ab."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = match[0].split(".") if match else []
    return ".".join((*numbers, "0", "0", "0")[:3])
