"""Write a library's folder: C files copied, metadata and the example rendered."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import jinja2

from edgesparse import record
from edgesparse.boards import templates_folder
from edgesparse.export.format import File
from edgesparse.export.formats import find_format
from edgesparse.export.library import KERNEL_NAMES, Library
from edgesparse.firmware import LICENCES, TensorView
from edgesparse.output import EXPORT_NAME, write_json
from edgesparse.record import Json
from edgesparse.report.sbom import KERNELS, SBOM_NAME, Part, Product, bill_of_materials, model_part

__all__ = ["Origin", "OriginBoard", "write_library"]


@dataclass(frozen=True)
class OriginBoard:
    """The board that a firmware was made for."""

    name: str
    core: str


@dataclass(frozen=True)
class Origin:
    """The origin and the figures of a library: what its edgesparse.json holds."""

    schema: int
    edgesparse: str
    format: str
    name: str
    version: str
    source_sha256: str
    board: OriginBoard
    input: TensorView
    output: TensorView
    weight_bytes: int
    table_bytes: int
    code_bytes: int
    arena_bytes: int

    def to_json(self) -> Json:
        """The object of edgesparse.json."""
        return record.to_json(self)


def write_library(library: Library, name: str, folder: Path) -> Origin:
    """Fill an empty folder in the format of that name; returns what its edgesparse.json says.

    The same library gives the same bytes. SettingsError for an unknown format.

    Sources lie in src/NAME/, the umbrella header src/NAME.h beside it: with src/ as the only include path, nothing of
    the library can be confused with a file of the user's.
    """
    form = find_format(name)
    sources = folder / "src" / library.name
    sources.mkdir(parents=True)
    for path in (*library.sources, *library.headers):
        shutil.copyfile(path, sources / path.name)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder() / "export"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for licence in LICENCES:
        shutil.copyfile(templates_folder() / "project" / licence, folder / licence)
    common = (
        File(f"src/{library.name}.h", "common/umbrella.h.j2"),
        File(f"src/{library.name}/{KERNEL_NAMES}", f"common/{KERNEL_NAMES}.j2"),
    )
    for file in (*common, *form.files(library)):
        target = folder / file.target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_render(environment, file, library), encoding="utf-8", newline="\n")
    origin = _origin(library, name)
    write_json(folder / SBOM_NAME, _sbom(library, folder))
    write_json(folder / EXPORT_NAME, origin.to_json())
    return origin


def _origin(library: Library, name: str) -> Origin:
    return Origin(
        schema=1,
        edgesparse=library.tool.removeprefix("edgesparse "),
        format=name,
        name=library.name,
        version=library.version,
        source_sha256=library.source_sha256,
        board=OriginBoard(library.board, library.core.name),
        input=library.input,
        output=library.output,
        weight_bytes=library.weight_bytes,
        table_bytes=library.table_bytes,
        code_bytes=library.code_bytes,
        arena_bytes=library.arena_bytes,
    )


def _sbom(library: Library, folder: Path) -> Json:
    """The bill of materials: the model, what was generated of it, and the kernels; the user's build adds to it."""
    copied = (*library.sources, *library.headers)
    kernels = {path.name for path in copied if path.parent.name in ("kernels", "include")}
    files = sorted(path for path in (folder / "src").rglob("*") if path.is_file())
    sources = {path.relative_to(folder).as_posix(): path for path in files}
    version = library.tool.removeprefix("edgesparse ")
    parts = (
        model_part(library.source),
        Part(
            type="library",
            name="generated-model",
            version=library.source_sha256[:16],
            description="C tables, calls and names made of the model; they belong to the user",
            files={name: path for name, path in sources.items() if path.name not in kernels},
        ),
        Part(
            type="library",
            name=KERNELS,
            version=version,
            licence="Apache-2.0",
            files={name: path for name, path in sources.items() if path.name in kernels},
        ),
    )
    product = Product(type="library", name=library.name, version=library.version, description=library.description)
    return bill_of_materials(product, parts, {"edgesparse": version})


def _render(environment: jinja2.Environment, file: File, library: Library) -> str:
    return environment.get_template(file.template).render(file.values, library=library)
