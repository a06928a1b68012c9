"""Write a firmware project: plain C files copied, tables and configuration rendered."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import jinja2

from edgesparse.boards import Board, templates_folder
from edgesparse.errors import EdgesparseError
from edgesparse.firmware.model import FirmwareModel
from edgesparse.variants import VARIANTS

__all__ = ["ARCH", "LICENCES", "environment", "kernel_source", "render", "render_board"]

ARCH = "arch/arm_m"
"""The folder of templates that is bound to the architecture."""

LICENCES = ("LICENSE", "LICENSING.md")
"""Files of a project that say under which terms it may be used; exports have them too."""

_GENERATED = {
    "model.h.j2": "model/{name}.h",
    "model.c.j2": "model/{name}.c",
    "weights.h.j2": "model/{name}_weights.h",
    "weights.c.j2": "model/{name}_weights.c",
    "harness_model.h.j2": "model/harness_model.h",
    "harness_model.ld.j2": "model/harness_model.ld",
    "vectors.h.j2": "model/vectors.h",
    "vectors.c.j2": "model/vectors.c",
    "config.mk.j2": "config.mk",
}


def render(model: FirmwareModel, board: Board, folder: Path) -> None:
    """Write the project into `folder`, which must not exist yet. The same model gives the same bytes."""
    templates = templates_folder()
    folder.mkdir(parents=True)
    for part, target in (("project", "."), (ARCH, "."), ("runtime/aot", "runtime")):
        for path in sorted((templates / part).iterdir()):
            if path.is_file():
                (folder / target).mkdir(exist_ok=True)
                shutil.copyfile(path, folder / target / path.name)
    render_board(board, folder)
    (folder / "kernels").mkdir()
    shutil.copytree(templates / "kernels" / "include", folder / "kernels" / "include")
    for kernel in model.kernels:
        shutil.copyfile(kernel_source(kernel), folder / "kernels" / f"{kernel}.c")
    (folder / "model").mkdir()
    fastest = VARIANTS[board.core.kernels[0]]
    for template, target in _GENERATED.items():
        text = environment().get_template(template).render(model=model, board=board, variant=fastest)
        (folder / target.format(name=model.name)).write_text(text, encoding="utf-8")


def render_board(board: Board, folder: Path) -> None:
    """Write what depends on the board into a project: board/ with its linker script, and the counter of clocks."""
    target = folder / "board"
    target.mkdir()
    script = environment().get_template("board.ld.j2").render(board=board)
    (target / "board.ld").write_text(script, encoding="utf-8")
    for path in sorted(board.folder.iterdir()):  # a board.ld of the board's own replaces the one above
        if path.is_file() and path.suffix != ".toml":
            shutil.copyfile(path, target / path.name)
    shutil.copyfile(templates_folder() / ARCH / "counters" / f"{board.counter}.h", folder / "counter.h")


@cache
def environment() -> jinja2.Environment:
    """Where the templates are, and how they are read."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder() / "model"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def kernel_source(function: str) -> Path:
    """The C file of a function, in the folder of its variant."""
    kernels = templates_folder() / "kernels"
    for variant in VARIANTS:
        path = kernels / variant / f"{function}.c"
        if path.is_file():
            return path
    raise EdgesparseError(f"{function!r} has no source in {kernels}")
