"""Two exported models in one program: each keeps its own names, and gives its own outputs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgesparse.boards import load_board
from edgesparse.commands.export import export as export_command
from edgesparse.emulate import EMULATORS
from edgesparse.oracle import reference_outputs
from edgesparse.toolchain import find, read_elf
from tests.export.conftest import compile_sources, make_firmware, run
from tests.support.c_style import WARNINGS
from tests.support.small_networks import conv_network

Export = Callable[[Path, str], Path]

# The kernels of both have the same names and, made for different cores, are not the same functions.
MODELS = {"ears": (conv_network(1), "mps2-an386"), "eyes": (conv_network(2), "mps2-an385")}

BOTH = """
#include <edgesparse_ears.h>
#include <edgesparse_eyes.h>
#include <stdio.h>
int main(void) {
    while (fread(ears_input(), 1, EARS_INPUT_BYTES, stdin) == EARS_INPUT_BYTES &&
           fread(eyes_input(), 1, EYES_INPUT_BYTES, stdin) == EYES_INPUT_BYTES) {
        eyes_invoke();
        ears_invoke();
        fwrite(ears_output(), 1, EARS_OUTPUT_BYTES, stdout);
        fwrite(eyes_output(), 1, EYES_OUTPUT_BYTES, stdout);
    }
    return 0;
}
"""

# In place of the harness's model: the second's output stands behind the first's.
AS_ONE = """
#include <edgesparse_ears.h>
#include <edgesparse_eyes.h>
#include <string.h>
volatile uint32_t model_layer = 1;
static int8_t input[EARS_INPUT_BYTES], output[EARS_OUTPUT_BYTES + EYES_OUTPUT_BYTES];
void *model_input(void) { return input; }
const void *model_output(void) { return output; }
void model_invoke(void) {
    model_layer = 0;
    memcpy(ears_input(), input, sizeof input);
    memcpy(eyes_input(), input, sizeof input);
    eyes_invoke();
    ears_invoke();
    memcpy(output, ears_output(), EARS_OUTPUT_BYTES);
    memcpy(output + EARS_OUTPUT_BYTES, eyes_output(), EYES_OUTPUT_BYTES);
    model_layer = 1;
}
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    places = {}
    for name, (model, board) in MODELS.items():
        folder = make_firmware(tmp_path_factory.mktemp(name), model, name, board)
        places[name] = folder.parent / "library"
        export_command(folder, format="cmake", out=places[name])
    return places


def compiled(libraries: dict[str, Path], folder: Path, *options: str, compiler: str = "gcc") -> list[Path]:
    objects = []
    for name, library in libraries.items():
        (folder / name).mkdir(parents=True)
        objects += compile_sources(library, folder / name, "-O2", *options, *WARNINGS, compiler=compiler)
    return objects


def test_every_name_that_the_linker_sees_is_the_librarys_own(
    libraries: dict[str, Path], host_gcc: str, tmp_path: Path
) -> None:
    objects = compiled(libraries, tmp_path)
    for path in objects:
        names = [line.split()[-1] for line in run("nm", "--defined-only", "--extern-only", path).splitlines()]
        assert names or path.stem.startswith("es_")
        own = path.parent.name
        assert not [name for name in names if not name.startswith((f"{own}_", f"edgesparse_{own}_"))]


def test_both_run_in_one_program_on_the_host(libraries: dict[str, Path], host_gcc: str, tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).integers(-128, 128, (4, 2, 8, 8, 4)).astype(np.int8)
    (tmp_path / "both.c").write_text(BOTH)
    folders = [f"-I{library / 'src'}" for library in libraries.values()]
    run(host_gcc, *folders, "both.c", *compiled(libraries, tmp_path), "-o", "both", folder=tmp_path)
    done = subprocess.run([tmp_path / "both"], input=inputs.tobytes(), capture_output=True, check=True)
    ears, eyes = (reference_outputs(model, inputs[:, i]).outputs for i, (model, _) in enumerate(MODELS.values()))
    assert done.stdout == np.concatenate([ears, eyes], axis=1).tobytes()


def test_both_run_in_one_firmware(libraries: dict[str, Path], gcc: str, tmp_path: Path) -> None:
    project = make_firmware(tmp_path, MODELS["ears"][0], "ears", "mps2-an386") / "firmware"
    inputs = np.random.default_rng(0).integers(-128, 128, (3, 8, 8, 4)).astype(np.int8)
    model = project / "model"
    for path in model.glob("ears*"):
        path.unlink()
    (model / "both.c").write_text(AS_ONE)
    (model / "harness_model.ld").write_text("__model_invoke = model_invoke;\n__model_layer = model_layer;\n")
    (model / "harness_model.h").write_text(
        "#pragma once\n#include <stdint.h>\n#define MODEL_LAYERS 1u\n"
        "#define MODEL_WEIGHTS_CRC selftest_weights_crc() /* whatever it is: the outputs are compared */\n"
        "#define MODEL_INPUT_BYTES 256u\n#define MODEL_OUTPUT_BYTES 20u\nextern volatile uint32_t model_layer;\n"
        "static inline void model_prepare(void) {}\nvoid *model_input(void);\nconst void *model_output(void);\n"
        "void model_invoke(void);\n"
    )
    values = ",".join(f"{{{','.join(map(str, sample.view(np.uint8).ravel()))}}}" for sample in inputs)
    section = '__attribute__((section(".test_vectors")))'
    (model / "vectors.h").write_text(
        "#pragma once\n#include <stdint.h>\n#define VECTORS_COUNT 3u\n"
        "extern const uint8_t vectors_inputs[3][256];\nextern const uint32_t vectors_output_crcs[3];\n"
    )
    (model / "vectors.c").write_text(
        f'#include "vectors.h"\n{section} const uint8_t vectors_inputs[3][256] = {{{values}}};\n'
        f"{section} const uint32_t vectors_output_crcs[3] = {{0}};\n"
    )
    board = load_board("mps2-an386")
    objects = compiled(libraries, tmp_path / "o", *board.core.gcc_flags, compiler="arm-none-eabi-gcc")
    folders = " ".join(f"-I{library / 'src'}" for library in libraries.values())
    makefile = project / "Makefile"
    text = makefile.read_text().replace("LIBRARIES := -lgcc", f"LIBRARIES := {' '.join(map(str, objects))} -lgcc")
    makefile.write_text(text.replace("-I. -iquote", f"{folders} -I. -iquote"))
    config = project / "config.mk"
    lines = config.read_text().splitlines()
    config.write_text("\n".join("KERNEL_SOURCES :=" if "KERNEL_SOURCES" in line else line for line in lines) + "\n")
    run("make", "-C", project, "clean")
    run("make", "-C", project)
    elf = read_elf(project / "build" / find("gcc").name / "firmware.elf")
    trace = EMULATORS["unicorn"].run(elf, board, timeout_s=60)
    ears, eyes = (reference_outputs(model, inputs).outputs for model, _ in MODELS.values())
    assert [np.frombuffer(output, np.int8).tolist() for output in trace.outputs] == np.concatenate(
        [ears, eyes], axis=1
    ).tolist()
