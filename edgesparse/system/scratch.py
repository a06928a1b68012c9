"""Temporary folders, named after the process that made them: what a killed one left, the next one removes."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgesparse.system.interrupts import shielded

__all__ = ["remove_left", "working_folder"]

_NAME = re.compile(r"\.?edgesparse-(?P<space>\w+)-(?P<process>\d+)-(?P<start>\d+)-\w+")

_cleaned: set[Path] = set()
"""Folders in which this process has looked for what others left."""


@contextmanager
def working_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for the time of the block. parent: where, hidden there; the system's folder for such by default."""
    where = Path(tempfile.gettempdir()) if parent is None else parent.absolute()
    hidden = "" if parent is None else "."
    if where not in _cleaned:
        _cleaned.add(where)
        remove_left(where)
    process = os.getpid()
    prefix = f"{hidden}edgesparse-{_process_space()}-{process}-{_start_of(process) or 0}-"
    folder: Path | None = None
    try:
        with shielded():
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
        yield folder
    finally:
        if folder is not None:
            with shielded():
                shutil.rmtree(folder, ignore_errors=True)


def remove_left(parent: Path) -> None:
    """Remove working folders in `parent` whose process has ended; those of other machines and containers stay."""
    try:
        found = [path for path in parent.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return
    for path in found:
        match = _NAME.fullmatch(path.name)
        if match is None or match["space"] != _process_space():
            continue
        start = _start_of(int(match["process"]))
        if start is None or match["start"] not in ("0", str(start)):
            shutil.rmtree(path, ignore_errors=True)


def _process_space() -> str:
    """What numbers of processes are unique in: the machine's, or a container's, by the name that Linux gives it."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _start_of(process: int) -> int | None:
    """When a process began, in the clock ticks of /proc (proc(5)), 0 where the system does not say; None: it ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() or not _exists(process) else 0
    state, *fields = text.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
