"""What every exported library holds: C that builds anywhere, by itself, and gives the reference's bytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from edgesparse.boards import CORES
from edgesparse.commands.emulate import emulate
from edgesparse.commands.firmware import firmware as firmware_command
from edgesparse.network import Network
from edgesparse.oracle import reference_outputs
from edgesparse.report.stored import read_report
from tests.export.conftest import Firmware, compile_sources, need, run
from tests.support.c_style import WARNINGS

Export = Callable[[Path, str], Path]

# Reads inputs from stdin until there are no more, writes outputs to stdout.
DRIVER = """
#include <{name}.h>
#include <stdio.h>
int main(void) {{
    while (fread({m}_input(), 1, {M}_INPUT_BYTES, stdin) == {M}_INPUT_BYTES) {{
        {m}_invoke();
        fwrite({m}_output(), 1, {M}_OUTPUT_BYTES, stdout);
    }}
    return 0;
}}
"""

# Every word of the header in C++, and both conversions.
CPLUSPLUS = """
#include <{name}.h>
int main() {{
    static const int input_shape[] = {M}_INPUT_SHAPE, output_shape[] = {M}_OUTPUT_SHAPE;
    static_assert(sizeof({m}_input_value) * {M}_INPUT_VALUES == {M}_INPUT_BYTES, "input");
    static_assert(sizeof({m}_output_value) * {M}_OUTPUT_VALUES == {M}_OUTPUT_BYTES, "output");
    {m}_input_value *input = static_cast<{m}_input_value *>({m}_input());
    input[0] = static_cast<{m}_input_value>(es_from_real(0.5f, 0.25f, -3));
    {m}_invoke();
    const {m}_output_value *output = static_cast<const {m}_output_value *>({m}_output());
    return output[0] == 99 || es_to_real(4, 0.5f, 2) != 1.0f || es_from_real(0.5f, 0.25f, -3) != -1
        || input_shape[0] != 1 || output_shape[0] != 1 || {m}_layer != {M}_LAYERS || {m}_arena() == nullptr;
}}
"""


def written(template: str, prefix: str) -> str:
    return template.format(name=f"edgesparse_{prefix}", m=prefix, M=prefix.upper())


@pytest.mark.parametrize(
    "options",
    [
        ("-O2",),
        ("-Os", "-DARDUINO=10607"),
        ("-O3", "-flto", "-fstrict-aliasing"),
        ("-O1", "-fsanitize=address,undefined"),
    ],
    ids=["O2", "arduino", "lto", "sanitizers"],
)
def test_the_flat_tree_gives_the_bytes_of_the_reference(
    firmware: Firmware, options: tuple[str, ...], export: Export, host_gcc: str, tmp_path: Path
) -> None:
    library = export(firmware.folder, "platformio")
    (tmp_path / "driver.c").write_text(written(DRIVER, firmware.prefix))
    objects = compile_sources(library, tmp_path, *options, *WARNINGS)
    run(host_gcc, *options, f"-I{library / 'src'}", "driver.c", *objects, "-o", "driver", folder=tmp_path)
    done = subprocess.run([tmp_path / "driver"], input=firmware.inputs.tobytes(), capture_output=True, check=True)
    assert done.stdout == firmware.outputs.tobytes()


@pytest.mark.parametrize("board", ["mps2-an386", "mps2-m0plus"])
@pytest.mark.parametrize("name", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant"])
def test_published_networks_give_the_bytes_of_the_reference(
    name: str, board: str, models: Path, export: Export, host_gcc: str, tmp_path: Path
) -> None:
    path = models / f"{name}.tflite"
    firmware_command(path, out=tmp_path / "out", board=board, vectors=1)
    network = Network.load(path)
    library = export(tmp_path / "out", "cmsis-pack")
    (tmp_path / "driver.c").write_text(written(DRIVER, name.lower()))
    objects = compile_sources(library, tmp_path, "-O2", *WARNINGS)
    run(host_gcc, f"-I{library / 'src'}", "driver.c", *objects, "-o", "driver", folder=tmp_path)
    inputs = np.random.default_rng(1).integers(-128, 128, (3, *network.input.shape[1:])).astype(np.int8)
    done = subprocess.run([tmp_path / "driver"], input=inputs.tobytes(), capture_output=True, check=True)
    assert done.stdout == reference_outputs(network.data, inputs).outputs.tobytes()


def test_cplusplus_11_takes_the_header(firmware: Firmware, export: Export, tmp_path: Path) -> None:
    compiler = need("g++")
    library = export(firmware.folder, "arduino")
    (tmp_path / "main.cpp").write_text(written(CPLUSPLUS, firmware.prefix))
    objects = compile_sources(library, tmp_path)
    command = [compiler, "-std=c++11", "-Wpedantic", *WARNINGS, f"-I{library / 'src'}", "main.cpp", *objects]
    run(*command, "-o", "main", folder=tmp_path)
    run(tmp_path / "main")


def test_the_header_says_shape_type_scale_and_zero_point(firmware: Firmware, export: Export) -> None:
    library = export(firmware.folder, "cmake")
    model, macro = firmware.prefix, firmware.prefix.upper()
    text = (library / "src" / firmware.name / f"{model}.h").read_text()
    assert f"#define {macro}_INPUT_SHAPE {{1, 8, 8, 4}}" in text
    if firmware.inputs.dtype == np.float32:
        assert f"typedef float {model}_input_value;" in text
        assert "SCALE" not in text
    else:
        assert f"typedef int8_t {model}_input_value;" in text
        assert f"#define {macro}_INPUT_SCALE 5.0e-02f" in text
        assert f"#define {macro}_INPUT_ZERO_POINT (3)" in text
        assert f"#define {macro}_OUTPUT_SCALE 3.90625e-03f" in text
        assert f"#define {macro}_OUTPUT_ZERO_POINT (-128)" in text


def test_a_foreign_linker_script_knows_every_section(
    firmware: Firmware, export: Export, gcc: str, tmp_path: Path
) -> None:
    library = export(firmware.folder, "cmake")
    core = CORES["cortex-m4"].gcc_flags
    objects = compile_sources(library, tmp_path, "-O2", *core, *WARNINGS, compiler="arm-none-eabi-gcc")
    kept = {name for path in objects for name in loaded_sections(path)}
    assert any(name.startswith(".rodata.es_weights.") for name in kept)
    assert ".bss.arena" in kept
    known = (".text", ".rodata", ".data", ".bss", ".ARM.")
    assert not [name for name in kept if not name.startswith(known)]
    (tmp_path / "main.c").write_text(
        f"#include <{firmware.name}.h>\nint main(void) {{ {firmware.prefix}_invoke(); return 0; }}\n"
    )
    command = ["arm-none-eabi-gcc", *core, "--specs=nosys.specs", f"-I{library / 'src'}", "main.c", *objects]
    run(*command, "-o", "main.elf", folder=tmp_path)
    with (tmp_path / "main.elf").open("rb") as stream:
        file = ELFFile(stream)
        symbols = file.get_section_by_name(".symtab").iter_symbols()
        places = {s.name: file.get_section(s["st_shndx"]).name for s in symbols if s["st_info"]["type"] == "STT_OBJECT"}
    weights = [name for name in places if name.endswith("_weights")]
    assert weights
    assert {places[name] for name in weights} == {".rodata"}
    assert places["arena"] == ".bss"


def loaded_sections(path: Path) -> list[str]:
    with path.open("rb") as stream:
        sections = ELFFile(stream).iter_sections()
        return [s.name for s in sections if s["sh_flags"] & SH_FLAGS.SHF_ALLOC and s["sh_size"] > 0]


def test_a_core_without_dsp_is_told_so_and_can_insist(
    dsp_folder: Path, export: Export, gcc: str, tmp_path: Path
) -> None:
    library = export(dsp_folder, "cmake")
    model = library / "src" / "edgesparse_net" / "net.c"
    for core in ("cortex-m3", "cortex-m0plus"):
        command = ["arm-none-eabi-gcc", *CORES[core].gcc_flags, "-c", str(model), "-o", "model.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "made for cores with DSP instructions" in done.stderr
        flags = ("-O2", "-DES_ANY_CORE", *CORES[core].gcc_flags, *WARNINGS)
        compile_sources(library, tmp_path, *flags, compiler="arm-none-eabi-gcc")


def test_kernels_made_for_no_dsp_compile_for_every_core(
    tmp_path: Path, firmware: Firmware, export: Export, gcc: str
) -> None:
    library = export(firmware.folder, "cmake")
    uses_dsp = firmware.name.endswith("_dsp")
    for core in CORES.values():
        if "dsp" in core.kernels or not uses_dsp:
            compile_sources(library, tmp_path, "-Os", *core.gcc_flags, *WARNINGS, compiler="arm-none-eabi-gcc")


def test_a_big_endian_target_is_refused(dsp_folder: Path, export: Export, gcc: str, tmp_path: Path) -> None:
    library = export(dsp_folder, "cmake")
    source = library / "src" / "edgesparse_net" / "net_weights.c"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mbig-endian", "-c", str(source), "-o", "weights.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "packed for little-endian cores" in done.stderr


def test_tables_of_another_version_of_the_kernels_do_not_compile(dsp_folder: Path, export: Export, host_gcc: str,
                                                                 tmp_path: Path) -> None:  # fmt: skip
    library = export(dsp_folder, "cmake")
    types = library / "src" / "edgesparse_net" / "es_types.h"
    types.write_text(types.read_text().replace("#define ES_KERNELS_VERSION 1", "#define ES_KERNELS_VERSION 2"))
    command = [host_gcc, "-c", str(types.parent / "net_weights.c"), "-o", "weights.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "version 1 of the kernels" in done.stderr


@pytest.mark.parametrize("options", ["-Os -DARDUINO=10607", "-O3"])
def test_the_device_gives_the_same_bytes_with_an_ecosystems_own_options(
    dsp_folder: Path, options: str, gcc: str, tmp_path: Path
) -> None:
    """Arduino's build cannot be told -O2 nor -fno-strict-aliasing."""
    shutil.copytree(dsp_folder, tmp_path / "out", ignore=shutil.ignore_patterns("build"))
    for project in ("firmware", "dense"):
        makefile = tmp_path / "out" / project / "Makefile"
        text = makefile.read_text()
        assert "OPTIMIZE ?= -O2" in text
        assert "-fno-strict-aliasing" in text
        text = text.replace("OPTIMIZE ?= -O2", f"OPTIMIZE ?= {options}").replace("-fno-strict", "-fstrict")
        makefile.write_text(text)
    report = emulate(tmp_path / "out", toolchain="gcc")  # raises where bytes differ
    before = read_report(dsp_folder).dense.instructions
    assert report.dense.instructions < 1.05 * before, "the kernels keep their speed"
