"""Projects build, to the same bytes, in folders of any name, and no shell, make or Tcl runs a part of it.

An output folder takes the name of the model file, which may come from anywhere. The names with a command would make
a file `canary`, in the folder that make runs in.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgesparse.boards import CORES, load_board, templates_folder
from edgesparse.commands.firmware import firmware
from edgesparse.flash import PROBERS, ProbeOptions
from edgesparse.flash.openocd import tcl_word
from edgesparse.missing import Missing
from edgesparse.toolchain import Elf, Toolchain, build
from edgesparse.toolchain.compilers import GccToolchain, ZigToolchain
from tests.device.conftest import toolchain_or_skip, write_toy
from tests.support.small_networks import conv_network

M4 = CORES["cortex-m4"]
NAMES = {
    "command": "kws$(touch canary)",
    "backticks": "kws`touch canary`",
    "make function": "kws$(shell touch canary)",
    "separators": "kws;touch canary;&touch canary|",
    "quotes": "kws\"'\";touch canary;'",
    "Tcl": "kws} [exec touch canary] {",
    "option": "-x",
    "spaces": " two  words ",
    "comment": "kws#1%2:3=4",
    "backslash": "kws\\n\\",
    "patterns": "kws*?[a]{b,c}~!",
    "newline": "kws\ntouch canary\n",
    "other letters": "modèle-模型",
}


@pytest.fixture(scope="module")
def expected(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(write_toy(tmp_path_factory.mktemp("plain") / "firmware"), toolchain, M4).path.read_bytes()


def canaries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("canary"))


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_gives_the_same_bytes(
    toolchain: Toolchain, tmp_path: Path, name: str, expected: bytes
) -> None:
    elf = build(write_toy(tmp_path / NAMES[name] / "firmware"), toolchain, M4)
    assert elf.path.read_bytes() == expected
    assert canaries(tmp_path) == []


def test_no_file_of_a_build_knows_where_the_folder_lies(toolchain: Toolchain, tmp_path: Path) -> None:
    project = write_toy(tmp_path / "unmistakable" / "firmware")
    build(project, toolchain, M4)
    files = [path for path in (project / "build").rglob("*") if path.is_file()]
    assert any(path.suffix == ".o" for path in files)
    assert [path for path in files if b"unmistakable" in path.read_bytes()] == []


def test_make_alone_with_zig_keeps_its_cache_in_the_project(tmp_path: Path) -> None:
    zig = toolchain_or_skip("zig")
    project = write_toy(tmp_path / NAMES["command"] / "firmware")
    command = ["make", *zig.make_arguments(), "build/zig/main.o"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert (project / "build" / "zig-cache").is_dir()
    assert canaries(tmp_path) == []


@pytest.mark.parametrize("name", ["command", "make function", "backticks", "quotes", "spaces"])
def test_a_compiler_may_lie_anywhere(toolchain: Toolchain, tmp_path: Path, name: str, expected: bytes) -> None:
    """A link to it, in a folder whose name make and the shell would expand."""
    folder = tmp_path / NAMES[name]
    folder.mkdir()
    found = {"gcc": GccToolchain, "zig": ZigToolchain}[toolchain.name]
    path = toolchain.path  # type: ignore[attr-defined]
    prefix = path.name.removesuffix("gcc")
    for tool in [path.name] if toolchain.name == "zig" else [f"{prefix}{part}" for part in ("gcc", "size", "objcopy")]:
        target = shutil.which(tool) if toolchain.name == "gcc" else path
        (folder / tool).write_text(f'#!/bin/sh\nexec "{target}" "$@"\n')
        (folder / tool).chmod(0o755)
    elf = build(write_toy(tmp_path / "firmware"), found(folder / path.name), M4)
    assert elf.path.read_bytes() == expected
    assert canaries(tmp_path) == []


@pytest.mark.parametrize("name", ["command", "Tcl", "newline", "option"])
def test_a_model_file_of_any_name_becomes_a_firmware(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"{NAMES[name]}.tflite")
    path.write_bytes(conv_network())
    report = firmware(path, vectors=1)
    assert not isinstance(report.bit_exact, Missing)
    assert report.bit_exact.ok
    assert Path(f"{NAMES[name]}.edgesparse").is_dir()
    assert canaries(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_openocd_takes_a_path_as_one_word(tmp_path: Path, name: str) -> None:
    openocd = shutil.which("openocd")
    if openocd is None:
        pytest.skip("openocd is not installed")
    command = [openocd, "-c", f"set word {tcl_word(NAMES[name])}", "-c", "echo <$word>", "-c", "shutdown"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"<{NAMES[name]}>" in done.stdout + done.stderr
    assert canaries(tmp_path) == []


@pytest.mark.parametrize("probe", ["gdb", "pyocd"])
def test_a_probers_tool_takes_no_path_for_an_option(
    build_toy: Callable[..., Elf], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: str
) -> None:
    module = importlib.import_module(f"edgesparse.flash.{probe}")
    monkeypatch.setattr(module, "find_tool", lambda names, remedy: names[0])
    elf = replace(build_toy(), path=Path("-ex=!touch canary") / "firmware.elf")
    steps = PROBERS[probe].steps(elf, load_board("rpi-pico"), ProbeOptions(), tmp_path)
    words = [word for command in steps.commands for word in command.arguments if "canary" in word]
    assert words == [str(elf.path.absolute())]


@pytest.mark.parametrize("name", ["micro`>canary`", "it's"])
def test_tflite_micro_may_lie_anywhere(tmp_path: Path, name: str) -> None:
    """What make would run is only printed; the words that it asks the library about are run at once."""
    toolchain_or_skip("gcc")
    root = tmp_path / name
    header = root / "tensorflow/lite/micro/micro_interpreter.h"
    header.parent.mkdir(parents=True)
    header.touch()
    (root / "libtensorflow-microlite.a").touch()
    project = write_toy(tmp_path / "firmware")
    shutil.copytree(templates_folder() / "runtime" / "tflm", project / "tflm")
    (project / "tflm" / "config.mk").write_text("TFLM_ARCH := cortex-m4\nTFLM_OPS := 1\n")
    command = ["make", "-n", "RUNTIME=tflm", f"TFLM_DIR={root}", "build/gcc-tflm/tflm/tflm_model.o"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert canaries(tmp_path) == []
    (line,) = [line for line in done.stdout.splitlines() if "tflm_model.cc" in line]
    assert shlex.split(line)[shlex.split(line).index("-isystem") + 1] == str(root)
