"""What differs between two output folders of one model: files by their bytes, images by what is loaded, and figures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from benchmarks.builds import Outcome

__all__ = ["Comparison", "Difference", "Figure", "compare", "figures_of"]

Figure: TypeAlias = "int | float | str | bool"

_BUILDS = ("sparse", "dense")
_BUILD_FIGURES = (
    *("instructions", "cycles", "flash_bytes", "code_bytes", "table_bytes", "weight_bytes", "ram_weight_bytes"),
    *("ram_bytes", "arena_bytes", "static_bytes", "stack_bytes"),
)
_LAYER_FIGURES = ("op", "format", "kernel", "instructions", "dense_instructions", "cycles", "dense_cycles")
_REPORTS = ("report.json", "report.html", "sbom.cdx.json", "edgesparse.files.json")
"""The last two have hashes of files that are compared."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    kind: "outcome" (built, or refused with which words), "file" or "figure". name: "outcome", a path in the output
    folder, or a figure as `sparse.instructions` and `layers.conv.format`. before, after: of a file its bytes; None
    where one side has none.
    """

    entry: str
    kind: str
    name: str
    before: Figure | None
    after: Figure | None

    def matches(self, pattern: str) -> bool:
        """Whether a glob pattern names it, as `name` or as `entry:name`."""
        return fnmatchcase(self.name, pattern) or fnmatchcase(f"{self.entry}:{self.name}", pattern)


@dataclass(frozen=True)
class Comparison:
    """Two outcomes of one entry.

    same_images: ELF files whose loaded bytes are equal though the files are not: only names in them differ, of
    symbols, sections or sources. before, after: the figures; empty where nothing was built.
    """

    entry: str
    differences: tuple[Difference, ...]
    same_images: tuple[str, ...]
    before: Mapping[str, Figure]
    after: Mapping[str, Figure]


def compare(entry: str, before: Outcome, after: Outcome) -> Comparison:
    """Compare what two trees made of an entry."""
    figures = [figures_of(outcome.report()) if outcome.built else {} for outcome in (before, after)]
    if before.describe() != after.describe():
        difference = Difference(entry, "outcome", "outcome", before.describe(), after.describe())
        return Comparison(entry, (difference,), (), *figures)
    if not before.built:
        return Comparison(entry, (), (), {}, {})
    differences: list[Difference] = []
    same_images: list[str] = []
    files = [_files(outcome.folder) for outcome in (before, after)]
    for name in sorted(files[0].keys() | files[1].keys()):
        old, new = (side.get(name) for side in files)
        if old is not None and new is not None:
            if old.read_bytes() == new.read_bytes():
                continue
            if _same_image(old, new):
                same_images.append(name)
                continue
        sizes = [None if path is None else path.stat().st_size for path in (old, new)]
        differences.append(Difference(entry, "file", name, *sizes))
    for name in dict.fromkeys((*figures[0], *figures[1])):
        values = [side.get(name) for side in figures]
        if values[0] != values[1]:
            differences.append(Difference(entry, "figure", name, *values))
    return Comparison(entry, tuple(differences), tuple(same_images), *figures)


def figures_of(report: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of a report.json that are compared, by name; what a report lacks is left out."""
    figures: dict[str, Figure] = {"bit_exact.ok": _figure(report.get("bit_exact", {}).get("ok", "absent"))}
    for build in _BUILDS:
        part = report.get(build, {})
        figures |= {f"{build}.{name}": _figure(part[name]) for name in _BUILD_FIGURES if name in part}
    for layer in report.get("layers", ()):
        figures |= {f"layers.{layer['name']}.{name}": _figure(layer[name]) for name in _LAYER_FIGURES if name in layer}
    return figures


def _figure(value: Any) -> Figure:
    """Numbers and words as they are; `{"unavailable": reason}` without its reason, which is no figure."""
    return value if isinstance(value, int | float | str) else "unavailable"


def _files(folder: Path) -> dict[str, Path]:
    """What is compared, by path in the folder: no reports, and of what was built only the images."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        path.as_posix(): file
        for path, file in files.items()
        if path.name not in _REPORTS and ("build" not in path.parts or path.suffix == ".elf")
    }


def _same_image(old: Path, new: Path) -> bool:
    try:
        return old.suffix == new.suffix == ".elf" and _image(old) == _image(new)
    except ELFError:
        return False


def _image(path: Path) -> tuple[object, ...]:
    """Where an ELF starts, and each segment that is loaded: addresses, size, rights, a hash of its bytes."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
        return (
            elf["e_entry"],
            elf["e_flags"],
            *(
                (
                    *(segment[field] for field in ("p_paddr", "p_vaddr", "p_memsz", "p_flags")),
                    hashlib.sha256(segment.data()).hexdigest(),
                )
                for segment in segments
            ),
        )
