"""Run make in a firmware project."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgesparse.arch.arm_m.isa import check_isa
from edgesparse.boards import Core
from edgesparse.errors import BuildError, DoesNotFitError, InputError, OutputError, ResourceError, ToolMissingError
from edgesparse.system import processes
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

# make's, gcc's and the linkers' words where the system killed a compiler, or gave it no memory
KILLED = re.compile(r"\bKilled\b.*|virtual memory exhausted.*|out of memory.*|Cannot allocate memory.*")

BUILD_TIMEOUT_S = 600
_LOG_CHARACTERS = 10_000


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
        done = processes.run(command, timeout_s=BUILD_TIMEOUT_S, merged=True, cwd=project, env=environment)
    except OSError as error:
        raise ToolMissingError(f"make does not run: {error}; {GET_MAKE}") from error
    if done.stopped:
        raise BuildError(
            f"{project}: make with {toolchain.name} {done.stopped} and was ended; run `make {' '.join(arguments)}` "
            "there to see where",
            log=done.output[-_LOG_CHARACTERS:],
        )
    done.check_killed(f"{project}: make")
    if done.code != 0:
        _raise_if_overflowed(done.output, project)
        _raise_if_no_room(done.output, project)
        toolchain.version()  # ToolMissingError where it has gone meanwhile
        raise BuildError(
            f"{project}: make with {toolchain.name} failed: {_first_error(done.output)}; "
            f"run `make {' '.join(arguments)}` there for the whole log",
            log=done.output,
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


def _raise_if_no_room(log: str, project: Path) -> None:
    """OutputError or ResourceError where make failed for want of disk or memory."""
    killed = KILLED.search(log)
    if killed is not None:
        why = killed[0].strip()
        raise ResourceError(f"{project}: a compiler was killed ({why}): memory ran out; use a machine with more")
    found = next((code for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) if os.strerror(code) in log), None)
    if found is not None:
        raise OutputError(
            f"{project}: make cannot write there: {os.strerror(found)}; make room, or choose another --out"
        )


def _first_error(log: str) -> str:
    """The first line of a compiler's, linker's or make's complaint."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in lines if COMPLAINT.search(line)), lines[-1] if lines else "no output")
