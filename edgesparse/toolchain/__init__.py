"""Find a compiler, build a firmware project, read what the ELF holds."""

from __future__ import annotations

from edgesparse.toolchain.compilers import PREFERENCES, GccToolchain, Toolchain, ZigToolchain, diagnose, find
from edgesparse.toolchain.elf import Elf, Segment, Symbol, read_elf
from edgesparse.toolchain.make import build

__all__ = [
    "PREFERENCES",
    "Elf",
    "GccToolchain",
    "Segment",
    "Symbol",
    "Toolchain",
    "ZigToolchain",
    "build",
    "diagnose",
    "find",
    "read_elf",
]
