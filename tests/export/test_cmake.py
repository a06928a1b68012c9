"""The CMake project: built, run, installed, found, and built for the core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.export.conftest import Firmware, need, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]


@pytest.fixture(autouse=True)
def cmake(host_gcc: str) -> str:
    return need("cmake")


def build(source: Path, folder: Path, *options: object) -> None:
    run("cmake", "-S", source, "-B", folder, f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)}", *options)
    run("cmake", "--build", folder)


def test_the_example_prints_the_outputs_of_the_reference(firmware: Firmware, export: Export, tmp_path: Path) -> None:
    build(export(firmware.folder, "cmake"), tmp_path / "build")
    for values, expected in zip(firmware.inputs, firmware.outputs, strict=True):
        values.tofile(tmp_path / "input.bin")
        *lines, last = run(tmp_path / "build" / f"{firmware.name}_run_model", tmp_path / "input.bin").splitlines()
        first = [float(line.split()[0]) for line in lines]
        np.testing.assert_allclose(first, expected.ravel(), atol=1e-6)
        assert last == f"largest: output {np.argmax(expected)}"


def test_the_example_runs_on_zeros_and_refuses_a_short_file(firmware: Firmware, export: Export, tmp_path: Path) -> None:
    build(export(firmware.folder, "cmake"), tmp_path / "build")
    program = tmp_path / "build" / f"{firmware.name}_run_model"
    lines = run(program).splitlines()
    np.testing.assert_allclose([float(line.split()[0]) for line in lines[:-1]], firmware.output_of_zeros(), atol=1e-6)
    (tmp_path / "short.bin").write_bytes(b"123")
    assert run(program, tmp_path / "short.bin", ok=1) == ""


def test_an_installed_library_is_found_by_version(firmware: Firmware, export: Export, tmp_path: Path) -> None:
    name = firmware.name
    build(export(firmware.folder, "cmake"), tmp_path / "build")
    run("cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "prefix")
    user = tmp_path / "user"
    user.mkdir()
    (user / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(user C)\n"
        f"find_package({name} 0.1.0 EXACT REQUIRED)\n"
        f"add_executable(user main.c)\ntarget_link_libraries(user PRIVATE {name}::{name})\n"
    )
    (user / "main.c").write_text(
        f"#include <{name}.h>\n"
        f"int main(void) {{ {firmware.prefix}_invoke(); return {firmware.prefix.upper()}_OUTPUT_VALUES < 3; }}\n"
    )
    build(user, tmp_path / "user_build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")
    run(tmp_path / "user_build" / "user")


def test_a_parent_project_adds_it_without_example_and_install(
    firmware: Firmware, export: Export, tmp_path: Path
) -> None:
    name = firmware.name
    library = export(firmware.folder, "cmake")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(user C)\n"
        f"add_subdirectory({library.name})\n"
        f"add_executable(user main.c)\ntarget_link_libraries(user PRIVATE {name}::{name})\n"
    )
    (tmp_path / "main.c").write_text(
        f"#include <{name}.h>\nint main(void) {{ {firmware.prefix}_invoke(); return 0; }}\n"
    )
    build(tmp_path, tmp_path / "build")
    run(tmp_path / "build" / "user")
    assert not list((tmp_path / "build").rglob(f"{name}_run_model"))


def test_it_builds_for_the_core(firmware: Firmware, export: Export, gcc: str, tmp_path: Path) -> None:
    library = export(firmware.folder, "cmake")
    run("cmake", "-S", library, "-B", tmp_path / "build", f"-DCMAKE_TOOLCHAIN_FILE={library}/cmake/arm-none-eabi.cmake")
    run("cmake", "--build", tmp_path / "build")
    program = tmp_path / "build" / f"{firmware.name}_run_model"
    attributes = run("arm-none-eabi-readelf", "--arch-specific", program)
    architecture = "v7E-M" if firmware.name.endswith("_dsp") else "v7"
    assert f"Tag_CPU_arch: {architecture}\n" in attributes
