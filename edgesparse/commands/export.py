"""`edgesparse export`: the firmware of an output folder as a library of another ecosystem."""

from __future__ import annotations

from pathlib import Path

from edgesparse import export as exports
from edgesparse.errors import OutputError
from edgesparse.output import claim, in_place, output_folder
from edgesparse.progress import silent

__all__ = ["export"]


def export(folder: str | Path, *, format: str, out: str | Path | None = None, force: bool = False) -> exports.Origin:
    """Write the firmware of an output folder as a library for an ecosystem; returns what edgesparse.json says.

    format: a name of edgesparse.export.FORMATS. out: `./<library name>.<format>` by default.
    """
    exports.find_format(format)
    source = Path(folder)
    with in_place(source):
        library = exports.read_library(source)
        target = Path(out) if out is not None else Path(f"{library.name}.{format}")
        inside, around = source.resolve(), target.resolve()
        if inside.is_relative_to(around) or around.is_relative_to(inside):
            raise OutputError(f"{target}: holds {source} or lies in it; choose a folder beside it with --out")
        with claim(target, force=force, say=silent) as place, output_folder(place) as staging:
            return exports.write_library(library, format, staging)
