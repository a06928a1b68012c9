"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from edgesparse.errors import OutputError
from edgesparse.record import Json
from edgesparse.system.interrupts import shielded

__all__ = ["NEW", "write_json", "write_text"]

NEW = "new"
"""How the hidden name of a file ends while it is written."""


def write_json(path: Path, value: Json) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all, also where the machine stops meanwhile."""
    temporary = path.with_name(f".{path.name}.{NEW}")
    try:
        with shielded():
            try:
                with temporary.open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror or error}") from error
