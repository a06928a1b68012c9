"""Run make in a firmware project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgesparse.arch.arm_m.isa import check_isa
from edgesparse.boards import Core
from edgesparse.errors import BuildError, DoesNotFitError, InputError, ToolMissingError
from edgesparse.toolchain.compilers import GET_MAKE, Toolchain
from edgesparse.toolchain.elf import Elf, read_elf

__all__ = ["build"]

# A make around us would otherwise hand its job server and its overrides down.
MAKE_VARIABLES = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "GNUMAKEFLAGS")

# Directions for the project's Makefile only; a user's value for another project must not change our bytes.
PROJECT_VARIABLES = (
    *("RUNTIME", "WEIGHTS", "TOOLCHAIN", "CROSS", "ZIG", "OPTIMIZE", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CC", "CXX"),
    *("TFLM_DIR", "TFLM_LIBRARY", "TFLM_ARENA_BYTES"),
)

COMPLAINT = re.compile(r"(^|[\s:])error:|undefined reference|overflowed|\*\*\*")

# "region `FLASH' overflowed by 12 bytes" (GNU ld), "... will not fit in region 'FLASH': overflowed by 12 bytes" (lld)
OVERFLOW = re.compile(r"region [`'](FLASH|RAM)'(?: overflowed by|: overflowed by) (\d+) bytes?\b")

BUILD_TIMEOUT_S = 600


def build(
    project: Path, toolchain: Toolchain, core: Core, *, variables: Sequence[str] = (), folder: str | None = None
) -> Elf:
    """Build the firmware project in a folder, read the ELF, and check that the core has all its instructions.

    variables: further ones for make, such as RUNTIME=tflm. folder: of project/build, where the ELF then appears.
    DoesNotFitError where the linker runs out of flash or RAM. BuildError with make's output in `log` when it fails;
    ToolMissingError without make; InputError when the folder is no firmware project.
    """
    make = shutil.which("make")
    if make is None:
        raise ToolMissingError(f"make not found; {GET_MAKE}")
    if not (project / "Makefile").is_file() or not (project / "config.mk").is_file():
        raise InputError(f"{project}: no firmware project (Makefile and config.mk) here; give the folder convert wrote")
    environment = {name: value for name, value in os.environ.items() if name not in MAKE_VARIABLES + PROJECT_VARIABLES}
    environment.update(toolchain.environment())
    arguments = (*toolchain.make_arguments(), *variables)
    command = [make, f"-j{os.cpu_count() or 1}", *arguments]
    try:
        result = subprocess.run(
            command,
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{project}: make took over {BUILD_TIMEOUT_S} s; run `make` there to see where") from error
    if result.returncode != 0:
        _raise_if_overflowed(result.stdout, project)
        raise BuildError(
            f"{project}: make with {toolchain.name} failed: {_first_error(result.stdout)}; "
            f"run `make {' '.join(arguments)}` there for the whole log",
            log=result.stdout,
        )
    elf = read_elf(project / "build" / (folder or toolchain.name) / "firmware.elf")
    check_isa(elf, core)
    return elf


def _raise_if_overflowed(log: str, project: Path) -> None:
    # lld tells section by section, each time more: the last and largest is by how much the whole is too long.
    found = [(int(match[2]), match[1]) for match in OVERFLOW.finditer(log)]
    if found:
        overflow_bytes, region = max(found)
        memory = "flash" if region == "FLASH" else "RAM"
        raise DoesNotFitError(
            f"{project}: the linked firmware takes {overflow_bytes:,} bytes more {memory} than its board has; "
            "take a board with more (edgesparse boards), or prune more",
            memory=memory,
            overflow_bytes=overflow_bytes,
        )


def _first_error(log: str) -> str:
    """The first line of a compiler's, linker's or make's complaint."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in lines if COMPLAINT.search(line)), lines[-1] if lines else "no output")
