"""The toy project: three hand-written layers in the layout that a rendered project has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesparse.boards import CORES, Board, load_board, templates_folder
from edgesparse.firmware.render import ARCH, render_board
from edgesparse.toolchain import Elf, Toolchain, build, diagnose, find
from tests.conftest import skip_or_fail

TOY = Path(__file__).parent / "toy"


def write_toy(folder: Path, *, fault: int = 0, board: str = "mps2-an386") -> Path:
    """Lay out the toy project in a new folder. `fault`: what TOY_FAULT in model.c breaks."""
    templates = templates_folder()
    shutil.copytree(TOY, folder)
    for part in ("project", ARCH):
        shutil.copytree(templates / part, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("counters"))
    shutil.copytree(templates / "runtime" / "aot", folder / "runtime")
    target = load_board(board)
    render_board(target, folder)
    core, config = target.core, folder / "config.mk"
    values = {"GCC_CORE_FLAGS": " ".join(core.gcc_flags), "ZIG_TARGET": core.zig_target, "ZIG_CPU": core.zig_cpu}
    lines = (line.split(" := ") for line in config.read_text().splitlines())
    config.write_text("".join(f"{name} := {values.get(name, value)}\n" for name, value in lines))
    model = folder / "model" / "model.c"
    model.write_text(model.read_text().replace("#define TOY_FAULT 0", f"#define TOY_FAULT {fault}"))
    return folder


def toolchain_or_skip(name: str) -> Toolchain:
    versions = {tool: version for tool, version, _ in diagnose()}
    tool = {"gcc": "arm-none-eabi-gcc", "zig": "zig"}[name]
    for needed in ("make", tool):
        if versions[needed] is None:
            skip_or_fail(f"{needed} is not installed")
    return find(name)


@pytest.fixture(scope="session", params=["gcc", "zig"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    return toolchain_or_skip(request.param)


@pytest.fixture(scope="session")
def board() -> Board:
    return load_board("mps2-an386")


@pytest.fixture(scope="session")
def build_toy(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Elf]:
    """Builds the toy project with a fault, once per compiler."""
    built: dict[int, Elf] = {}

    def make(fault: int = 0) -> Elf:
        if fault not in built:
            folder = tmp_path_factory.mktemp("toy") / "firmware"
            built[fault] = build(write_toy(folder, fault=fault), toolchain, CORES["cortex-m4"])
        return built[fault]

    return make
