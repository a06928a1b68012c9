"""The compilers that can build a firmware project: arm-none-eabi-gcc, or zig from PyPI."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgesparse.errors import SettingsError, ToolMissingError
from edgesparse.system import processes

__all__ = ["PREFERENCES", "GccToolchain", "Toolchain", "ZigToolchain", "cache_folder", "diagnose", "find"]

VERSION_TIMEOUT_S = 60
PREFERENCES = ("auto", "gcc", "zig")
"""What `find` accepts; auto takes gcc where it is installed, else zig."""

GET_GCC = "install arm-none-eabi-gcc (Debian: apt install gcc-arm-none-eabi)"
GET_ZIG = "pip install 'edgesparse[device]' (brings zig as the package ziglang)"
GET_MAKE = "install make (Debian: apt install make)"


def cache_folder() -> Path:
    """A folder to keep compiled things in: the user's cache, or a private temporary one where that is read-only."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "edgesparse"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir()) / f"edgesparse-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ToolMissingError(f"{folder} belongs to another user; set XDG_CACHE_HOME to a folder of yours")
    return folder


def find(preference: str = "auto") -> Toolchain:
    """The compiler to build with: `auto`, `gcc` or `zig`; ToolMissingError says how to get one."""
    if preference not in PREFERENCES:
        raise SettingsError(f"toolchain {preference!r} is not known; choose one of: {', '.join(PREFERENCES)}")
    gcc = _gcc_path() if preference in ("auto", "gcc") else None
    if gcc is not None:
        return GccToolchain(gcc)
    zig = zig_path() if preference in ("auto", "zig") else None
    if zig is not None:
        return ZigToolchain(zig)
    ways = {"auto": f"{GET_ZIG}, or {GET_GCC}", "gcc": GET_GCC, "zig": GET_ZIG}
    name = {"auto": "compiler for Cortex-M", "gcc": "arm-none-eabi-gcc", "zig": "zig"}[preference]
    raise ToolMissingError(f"no {name} found; {ways[preference]}")


def diagnose() -> list[tuple[str, str | None, str]]:
    """(tool, version or None where absent, how to get it) of all that a build may use."""
    gcc, zig, make = _gcc_path(), zig_path(), shutil.which("make")
    return [
        ("make", _first_line([make, "--version"]) if make else None, GET_MAKE),
        ("arm-none-eabi-gcc", GccToolchain(gcc).version() if gcc else None, GET_GCC),
        ("zig", ZigToolchain(zig).version() if zig else None, GET_ZIG),
    ]


def _gcc_path() -> Path | None:
    path = shutil.which("arm-none-eabi-gcc")
    return Path(path) if path else None


def zig_path() -> Path | None:
    """The binary inside the ziglang package, else zig on the PATH."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "zig"
        if binary.is_file():
            return binary
    path = shutil.which("zig")
    return Path(path) if path else None


def _first_line(command: list[str]) -> str:
    """The first line that a tool prints about its version; ToolMissingError when it does not run."""
    try:
        done = processes.run(command, timeout_s=VERSION_TIMEOUT_S)
    except OSError as error:
        raise ToolMissingError(f"{command[0]} does not run: {error}; install it again") from error
    if done.code != 0 or done.stopped:
        why = done.stopped or f"it ended with code {done.code}"
        raise ToolMissingError(f"{command[0]} does not run: {why}; install it again")
    return done.output.splitlines()[0] if done.output else ""


def _for_make(path: str) -> str:
    """A path as the value of a variable of make: make expands it, then the shell takes it as one word."""
    return shlex.quote(path).replace("$", "$$")


class Toolchain(Protocol):
    """A compiler as the project's Makefile knows it."""

    @property
    def name(self) -> str:
        """`gcc` or `zig`: the Makefile's TOOLCHAIN."""

    def version(self) -> str:
        """The compiler's version, such as `gcc 12.2.1`; ToolMissingError when it does not run."""

    def make_arguments(self) -> tuple[str, ...]:
        """Arguments for make that select this compiler."""

    def environment(self) -> Mapping[str, str]:
        """Environment variables that the compiler needs besides the user's."""


@dataclass(frozen=True)
class GccToolchain:
    """arm-none-eabi-gcc."""

    path: Path
    name: str = "gcc"

    def version(self) -> str:
        """See Toolchain."""
        return f"gcc {_first_line([str(self.path), '-dumpfullversion'])}"

    def make_arguments(self) -> tuple[str, ...]:
        """See Toolchain."""
        return ("TOOLCHAIN=gcc", f"CROSS={_for_make(str(self.path).removesuffix('gcc'))}")

    def environment(self) -> Mapping[str, str]:
        """See Toolchain."""
        return {}


@dataclass(frozen=True)
class ZigToolchain:
    """zig cc, which is clang with lld and its own run-time library."""

    path: Path
    name: str = "zig"

    def version(self) -> str:
        """See Toolchain."""
        return f"zig {_first_line([str(self.path), 'version'])}"

    def make_arguments(self) -> tuple[str, ...]:
        """See Toolchain."""
        return ("TOOLCHAIN=zig", f"ZIG={_for_make(str(self.path))}")

    def environment(self) -> Mapping[str, str]:
        """Caches outside of the project; zig builds its run-time library once per core."""
        folder = cache_folder() / "zig"
        return {"ZIG_GLOBAL_CACHE_DIR": str(folder), "ZIG_LOCAL_CACHE_DIR": str(folder)}
