"""The C sources compile without a warning on every compiler at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import edgesparse
from edgesparse.boards import CORES, templates_folder
from edgesparse.toolchain.compilers import zig_path
from edgesparse.variants import VARIANTS
from tests.conftest import skip_or_fail
from tests.support.c_style import WARNINGS

KERNELS = templates_folder() / "kernels"
STRICT = (
    "-Walloca -Wbad-function-cast -Wcast-align -Wdouble-promotion -Wimplicit-fallthrough -Wlogical-op "
    "-Wmissing-prototypes -Wnested-externs -Wnull-dereference -Wold-style-definition -Wpointer-arith -Wredundant-decls "
    "-Wstrict-prototypes -Wswitch-enum -Wundef -Wwrite-strings"
).split()
"""More than projects ask for: gcc's names, and nothing that a newer compiler might see otherwise."""
FLAGS = ("-std=c11", "-O2", *WARNINGS, f"-I{KERNELS / 'include'}", "-c")


@pytest.mark.parametrize(
    "command",
    [("gcc",), ("zig", "cc"), ("arm-none-eabi-gcc", *CORES["cortex-m4"].gcc_flags, "-ffreestanding")],
    ids=lambda command: command[0],
)
def test_kernels_compile_without_warnings(command: tuple[str, ...], tmp_path: Path) -> None:
    compiler = zig_path() if command[0] == "zig" else shutil.which(command[0])
    if compiler is None:
        skip_or_fail(f"{command[0]} is not installed")
    command = (str(compiler), *command[1:], *(() if command[0] == "zig" else STRICT))
    sources = sorted(str(path) for variant in VARIANTS for path in (KERNELS / variant).glob("*.c"))
    subprocess.run([*command, *FLAGS, *sources], cwd=tmp_path, check=True)


def test_headers_stand_alone(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    for header in (KERNELS / "include").glob("*.h"):
        source = tmp_path / f"{header.stem}.c"
        source.write_text(f'#include "{header.name}"\n#include "{header.name}"\n')
        subprocess.run(["gcc", *FLAGS, "-Wno-unused-function", source.name], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", ["arch/arm_m/timing/replay.c", "emulate/block_counter.c"])
def test_what_is_compiled_for_this_computer_has_no_warnings(name: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    source = Path(edgesparse.__file__).parent / name
    subprocess.run(["gcc", *FLAGS, source], cwd=tmp_path, check=True)
