"""The list of an output folder's files: what is not on it, or was changed, is somebody's own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import edgesparse
from edgesparse.output.write import NEW, write_json
from edgesparse.record import Json

__all__ = ["FILES_NAME", "foreign_files", "write_manifest"]

FILES_NAME = "edgesparse.files.json"

_WRITTEN_AGAIN = ("report.json", "report.html", "tflm/config.mk")
"""Later commands write them again, so that they have no hash."""
_BUILD = "build"
"""The folders in which compilers write."""


def write_manifest(folder: Path) -> None:
    """List the files of a new output folder, with their SHA-256 (null: later commands write it again)."""
    files: dict[str, Json] = {
        name: None if name.endswith(_WRITTEN_AGAIN) else _sha256(folder / name) for name in sorted(_files(folder))
    }
    write_json(folder / FILES_NAME, {"edgesparse": edgesparse.__version__, "files": files})


def foreign_files(folder: Path) -> list[str] | None:
    """Files that edgesparse did not write, or that were changed since; None where the folder is not edgesparse's."""
    try:
        text = (folder / FILES_NAME).read_text(encoding="utf-8")
        value = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None
    listed = value.get("files") if isinstance(value, dict) and "edgesparse" in value else None
    if not isinstance(listed, dict):
        return None
    return sorted(name for name in _files(folder) if not _is_listed(folder, name, listed))


def _is_listed(folder: Path, name: str, listed: dict[str, Json]) -> bool:
    path = folder / name
    if path.name.startswith(".") and path.name.endswith(f".{NEW}"):
        return path.name.removeprefix(".").removesuffix(f".{NEW}") in _WRITTEN_AGAIN  # a killed command's
    return name in listed and not path.is_symlink() and listed[name] in (None, _sha256(path))


def _files(folder: Path) -> Iterator[str]:
    """Relative to the folder, links and empty folders too, but not the list itself."""
    for root, folders, names in os.walk(folder):
        here = Path(root)
        if here != folder and _BUILD in folders and (here / "Makefile").is_file():
            folders.remove(_BUILD)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *links):
            relative = (here / name).relative_to(folder).as_posix()
            if relative != FILES_NAME:
                yield relative
        if not names and not folders and here != folder:
            yield here.relative_to(folder).as_posix()


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
