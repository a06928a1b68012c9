"""The Zephyr module: rules of its metadata, and the sample built by CMake with a stand-in for Zephyr's functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from tests.export.conftest import Firmware, need, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]

# find_package(Zephyr) as far as a module and a sample see it: Kconfig symbols from prj.conf, `app`, library functions.
ZEPHYR_CONFIG = """
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf lines REGEX "^CONFIG_")
foreach(line ${lines})
  string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.*)$" found ${line})
  set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
enable_language(C)
add_executable(app)
target_include_directories(app PRIVATE ${CMAKE_CURRENT_LIST_DIR}/include)
macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_link_libraries(app PRIVATE ${name})
endmacro()
function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
  target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  foreach(folder ${ARGN})
    get_filename_component(folder ${folder} ABSOLUTE)
    target_include_directories(app PRIVATE ${folder})
  endforeach()
endfunction()
foreach(module ${ZEPHYR_EXTRA_MODULES})
  get_filename_component(module ${module} ABSOLUTE)
  file(STRINGS ${module}/zephyr/module.yml cmake REGEX "cmake: ")
  string(REGEX REPLACE ".*cmake: " "" folder ${cmake})
  add_subdirectory(${module}/${folder} modules)
endforeach()
"""
KERNEL_H = "#include <stdint.h>\nstatic inline uint32_t k_cycle_get_32(void) { return 5; }\n"
PRINTK_H = "#include <stdio.h>\n#define printk printf\n"


def test_module_yml_names_what_exists(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "zephyr")
    module = yaml.safe_load((library / "zephyr" / "module.yml").read_text())
    assert set(module) <= {"name", "build", "tests", "samples", "boards", "blobs", "security", "package-managers"}
    assert module["name"] == firmware.name
    assert (library / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (library / module["build"]["kconfig"]).is_file()
    assert all((library / folder).is_dir() for folder in module["samples"])


def test_sample_yaml_obeys_twisters_schema(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "zephyr")
    sample = yaml.safe_load((library / "samples" / "run_model" / "sample.yaml").read_text())
    assert set(sample) <= {"sample", "common", "tests"}
    assert set(sample["sample"]) <= {"name", "description"}
    assert sample["sample"]["name"]
    for name, scenario in sample["tests"].items():
        assert re.fullmatch(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)+", name)
        types = {
            "tags": str, "min_ram": int, "min_flash": int, "integration_platforms": list, "harness": str,
            "harness_config": dict,
        }  # fmt: skip
        assert set(scenario) == set(types)
        assert all(isinstance(scenario[key], kind) for key, kind in types.items())
        assert scenario["harness_config"]["type"] in ("one_line", "multi_line")
        assert all(isinstance(text, str) for text in scenario["harness_config"]["regex"])


def test_kconfig_defines_what_prj_conf_sets(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "zephyr")
    lines = [line for line in (library / "Kconfig").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == f"config {firmware.name.upper()}"
    assert all(line.startswith("\t") for line in lines[1:]), "Kconfig indents by a tab"
    assert lines[1].startswith("\tbool ")
    help_text = lines[lines.index("\thelp") + 1 :]
    assert help_text
    assert all(line.startswith("\t  ") for line in help_text)
    settings = (library / "samples" / "run_model" / "prj.conf").read_text().splitlines()
    assert f"CONFIG_{firmware.name.upper()}=y" in settings
    assert all(re.fullmatch(r"CONFIG_[A-Z0-9_]+=\S+|#.*", line) for line in settings)
    assert f"if(CONFIG_{firmware.name.upper()})" in (library / "CMakeLists.txt").read_text()


def test_the_sample_builds_and_prints_the_outputs(
    firmware: Firmware, export: Export, host_gcc: str, tmp_path: Path
) -> None:
    need("cmake")
    library = export(firmware.folder, "zephyr")
    zephyr = tmp_path / "zephyr_base"
    for header, text in (("kernel.h", KERNEL_H), ("sys/printk.h", PRINTK_H)):
        path = zephyr / "include" / "zephyr" / header
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (zephyr / "ZephyrConfig.cmake").write_text(ZEPHYR_CONFIG)
    sample, build = library / "samples" / "run_model", tmp_path / "build"
    run("cmake", "-S", sample, "-B", build, f"-DZephyr_DIR={zephyr}", f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)}")
    run("cmake", "--build", build)
    *lines, last = run(build / "app").splitlines()
    expected = firmware.output_of_zeros()
    divisor = 1e6 if expected.dtype == np.float32 else 1
    np.testing.assert_allclose([float(line.split()[0]) / divisor for line in lines], expected, atol=2e-6)
    assert last == f"largest: output {np.argmax(expected)}, cycles: 0"
    pattern = yaml.safe_load((sample / "sample.yaml").read_text())["tests"].popitem()[1]["harness_config"]["regex"][0]
    assert re.search(pattern, last), "what twister waits for"
