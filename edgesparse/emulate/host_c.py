"""The project's C for this computer: compiled at run time, kept in the user's cache."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from edgesparse.system import processes
from edgesparse.system.scratch import working_folder
from edgesparse.toolchain.compilers import cache_folder, zig_path

__all__ = ["host_library"]


def host_library(source: Path) -> Path | None:
    """A C file as a shared library, from the cache where it was made before; None without a compiler."""
    compiler = _host_compiler()
    if compiler is None:
        return None
    key = hashlib.sha256(source.read_bytes() + " ".join(compiler).encode()).hexdigest()[:16]
    folder = cache_folder()
    library = folder / f"{source.stem}-{key}.so"
    if library.is_file():
        return library
    with working_folder(folder) as scratch:
        made = scratch / library.name
        command = [*compiler, "-std=c11", "-O2", "-shared", "-fPIC", str(source), "-o", str(made)]
        done = processes.run(command, timeout_s=300)
        if done.code != 0 or done.stopped:
            return None  # a compiler that cannot make a shared library is none: the Python versions are exact too
        made.replace(library)  # atomic: another process may do the same
    return library


def _host_compiler() -> list[str] | None:
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return [path]
    zig = zig_path()
    return [str(zig), "cc"] if zig is not None else None
