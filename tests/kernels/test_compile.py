"""The C sources compile without a warning on every compiler at hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgesparse.boards import CORES, templates_folder
from edgesparse.toolchain.compilers import zig_path
from edgesparse.variants import VARIANTS
from tests.conftest import skip_or_fail

KERNELS = templates_folder() / "kernels"
WARNINGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{KERNELS / 'include'}", "-c")


@pytest.mark.parametrize(
    "command",
    [("gcc",), ("zig", "cc"), ("arm-none-eabi-gcc", *CORES["cortex-m4"].gcc_flags, "-ffreestanding")],
    ids=lambda command: command[0],
)
def test_kernels_compile_without_warnings(command: tuple[str, ...], tmp_path: Path) -> None:
    compiler = zig_path() if command[0] == "zig" else shutil.which(command[0])
    if compiler is None:
        skip_or_fail(f"{command[0]} is not installed")
    command = (str(compiler), *command[1:])
    sources = sorted(str(path) for variant in VARIANTS for path in (KERNELS / variant).glob("*.c"))
    subprocess.run([*command, *WARNINGS, *sources], cwd=tmp_path, check=True)


def test_headers_stand_alone(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        skip_or_fail("gcc is not installed")
    for header in (KERNELS / "include").glob("*.h"):
        source = tmp_path / f"{header.stem}.c"
        source.write_text(f'#include "{header.name}"\n#include "{header.name}"\n')
        subprocess.run(["gcc", *WARNINGS, "-Wno-unused-function", source.name], cwd=tmp_path, check=True)
