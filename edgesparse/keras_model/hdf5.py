"""HDF5 files that stand alone: HDF5 itself opens other files where a link, a dataset or an attribute asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from edgesparse.errors import ModelError

__all__ = ["DAMAGED", "SIGNATURE", "check_self_contained", "user_block_bytes"]

DAMAGED = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises for damaged files."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def user_block_bytes(path: Path) -> int | None:
    """Where HDF5 would find its signature behind the beginning of a file: at byte 512, 1024, 2048, ...; or None."""
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 512
        while offset < size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return offset
            offset *= 2
    return None


def check_self_contained(path: Path, file: Any) -> None:
    """ModelError for links by name, external storage and virtual datasets; file: an open h5py.File."""
    pending, seen = [file["/"]], set()
    while pending:
        group = pending.pop()
        info = h5py.h5o.get_info(group.id)
        if info.addr in seen:
            continue
        seen.add(info.addr)
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            try:
                link = group.get(name, getlink=True)
            except TypeError:  # h5py's answer for a class of links that it does not know
                link = None
            if not isinstance(link, h5py.HardLink):
                raise ModelError(f"{path}: {place} in it is a link to a name or another file; save the model again")
            item = group[name]
            if isinstance(item, h5py.Group):
                pending.append(item)
            elif isinstance(item, h5py.Dataset) and (
                item.is_virtual or item.id.get_create_plist().get_external_count() > 0
            ):
                raise ModelError(f"{path}: {place} has its values in another file; save the model again")
